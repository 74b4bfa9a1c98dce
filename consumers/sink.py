"""What `consumers.loop` asks of a sink, and the reasons for which a sink may not write.

In: records as kafka-python gives them. Out: the protocol and its two exceptions.
Never: an implementation; the only sink is `consumers.store.sink`.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from kafka import TopicPartition


class Unavailable(Exception):
    """What the sink writes to does not answer, and nothing was written. `part` is its name in health."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(why)
        self.part = part
        self.why = why


class PositionConflict(Exception):
    """Another process has moved the sink's position, and nothing was written. Read the position again."""


class ConsumerRecord(Protocol):
    """A record as kafka-python gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Sink(Protocol):
    """Writes records, and remembers how far it has read."""

    #: The name in health of what it writes to.
    part: str

    def positions(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The next offset to read in each partition. A partition that is left out starts at its beginning."""
        ...

    def write(self, records: Sequence[ConsumerRecord]) -> None:
        """Make the records and the new positions durable, both or neither. Raises `Unavailable`, `PositionConflict`."""
        ...

    def skip(self, partition: TopicPartition, position: int, beginning: int) -> None:
        """Make durable that the offsets from `position` up to `beginning` will not be read. Raises as `write`."""
        ...
