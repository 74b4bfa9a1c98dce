"""A clock, a producer that soon gives up and a practice's own instrument, for tests of the gateway and `alliance send`.

In: a running broker. Out: a time, a producer, a definition.
Never: a closed producer (its user closes it).
"""

import time

from kafka import KafkaProducer

OWN_INSTRUMENT = """
id = "practice-form/1"
name = "Our own form"
minimum = 1
maximum = 5
decimals = 0
validated = false

[licence]
status = "open"
notice = "Made for this test."

[[items]]
id = "bond"
ingredients = ["trust", "empathy"]

[[items]]
id = "work"
ingredients = ["goals", "communication"]

[missing]
total_at_least = 2
"""


def now_ms() -> int:
    """Now, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def an_impatient_producer(bootstrap: str) -> KafkaProducer:
    """A producer that gives a record up after two seconds; the real one does so after a long outage."""
    return KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        max_block_ms=500,
        request_timeout_ms=1_000,
        delivery_timeout_ms=2_000,
        reconnect_backoff_max_ms=200,
    )
