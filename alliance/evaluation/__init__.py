"""What a rule does to a history: backtest, calibration, the field's rules for comparison, pictures.

In: a file of events. Out: flags, a summary, a prior, pictures.
Never: talk to Kafka or to a store.
"""
