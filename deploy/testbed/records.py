"""A Kafka record made in memory.

In: its parts. Out: what the worker reads like a record that aiokafka fetched.
Never: a broker.
"""

from collections.abc import Sequence
from typing import NamedTuple


class PlainRecord(NamedTuple):
    """A `KafkaRecord` (`pipeline.worker.faust.partition_batch`); `timestamp` in milliseconds since 1970 UTC."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
