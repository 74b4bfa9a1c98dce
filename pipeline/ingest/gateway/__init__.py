"""Events over HTTP.

In: requests in the three modes of the CloudEvents HTTP binding. Out: records on the events topic, and an answer to
each request.
Never: answer 202 before the broker has acknowledged.
"""
