"""What flows: typed messages, topics, instruments and the published contracts.

In: nothing of ours. Out: names, types and codecs that every other room uses.
Never: logic about ruptures, reading a clock, talking to a broker.
"""
