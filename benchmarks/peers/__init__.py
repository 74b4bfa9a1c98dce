"""The worker beside other ways to do its job, on one real Kafka in one run: `make bench-peers`.

In: nothing. Out: events per CPU second, wall events/s, memory, recovery time, and whether each outcome was right.
Never: a job of their own: every runner calls `pipeline.core`, and all except the worker do so through `job`.
"""
