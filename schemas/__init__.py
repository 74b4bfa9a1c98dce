"""What flows: typed messages, topics, instruments and the published contracts.

Out: names, types and codecs that every other package uses.
Never: logic about ruptures, reading a clock, talking to a broker.
"""
