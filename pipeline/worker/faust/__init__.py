"""The only place that knows how Faust fetches, acknowledges, keeps state, retries and fails.

In: Faust events. Out: batches for the agents, durable outputs, acknowledgements in order.
Never: a clinical decision.
"""
