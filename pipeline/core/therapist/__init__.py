"""One therapist: the cases behind them, and which figures may be published.

In: case summaries. Out: the summary of a therapist.
Never: publish a figure that gives away a single client's answers.
"""
