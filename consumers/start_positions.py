"""Where a consumer starts to read: at the sink's positions, or not at all if records are missing there.

In: the partitions that a consumer has just been assigned. Out: the same consumer, moved to the sink's positions.
Never: skip records, unless an operator has accepted the gap.
"""

import logging
import threading
from typing import Any

from kafka import TopicPartition

from consumers.retry import retry_while_unavailable
from consumers.sink import PositionConflict, Sink
from pipeline.runtime.health import Health

log = logging.getLogger(__name__)


class LogIsShorter(Exception):
    """A topic ends before the sink's position: it was deleted and created again. Its new records would be missed."""

    def __init__(self, partition: TopicPartition, position: int, end: int) -> None:
        super().__init__(
            f"{partition.topic}, partition {partition.partition} ends at {end}, but the store has already read up to "
            f"{position}: the topic was deleted and created again. See docs/operations/backup.md."
        )


class LogStartsLater(Exception):
    """A topic begins after the sink's position: Kafka deleted records before they were read."""

    def __init__(self, partition: TopicPartition, position: int, beginning: int) -> None:
        super().__init__(
            f"{partition.topic}, partition {partition.partition} begins at {beginning}, after the position {position}: "
            f"Kafka deleted {beginning - position} records before they were read. Send them again from their source, "
            "then start the store with --accept-gap."
        )


class StartPositions:
    """Moves a consumer to the positions of its sink."""

    def __init__(self, sink: Sink, health: Health, stop: threading.Event, *, accepts_gap: bool) -> None:
        self._sink = sink
        self._health = health
        self._stop = stop
        self._accepts_gap = accepts_gap

    def seek(self, consumer: Any, partitions: list[TopicPartition]) -> list[TopicPartition] | None:
        """Seek in these partitions. Returns None, or the partitions to seek in instead after a rebalance meanwhile."""
        try:
            self._seek_each(consumer, partitions)
        except ValueError:
            # kafka-python's way to say that this consumer has lost a partition.
            assigned = list(consumer.assignment())
            if set(partitions) <= set(assigned):
                raise
            return assigned
        return None

    def _seek_each(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        wanted = retry_while_unavailable(
            lambda: self._sink.positions(partitions), self._sink.part, self._health, self._stop
        )
        positions = wanted or {}
        ends = consumer.end_offsets(list(positions)) if positions else {}
        beginnings = consumer.beginning_offsets(list(positions)) if positions else {}
        for partition in partitions:
            position = positions.get(partition)
            if position is None:
                consumer.seek_to_beginning(partition)
            elif position > ends[partition]:
                raise LogIsShorter(partition, position, ends[partition])
            elif position < beginnings[partition]:
                self._skip_gap(consumer, partition, position, beginnings[partition])
            else:
                consumer.seek(partition, position)

    def _skip_gap(self, consumer: Any, partition: TopicPartition, position: int, beginning: int) -> None:
        if not self._accepts_gap:
            raise LogStartsLater(partition, position, beginning)
        log.warning(
            "%s, partition %d: skipping %d records that Kafka deleted before they were read (--accept-gap).",
            partition.topic,
            partition.partition,
            beginning - position,
        )
        try:
            retry_while_unavailable(
                lambda: self._sink.skip(partition, position, beginning), self._sink.part, self._health, self._stop
            )
        except PositionConflict:
            self._seek_each(consumer, [partition])
        else:
            consumer.seek(partition, beginning)
