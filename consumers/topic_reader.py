"""Reads whole topics from their beginning and goes on reading: for consumers whose only memory is the log itself.

In: compacted topics, all partitions. Out: every record, in the order of its partition; word that what was there at the
start has been read.
Never: join a group or commit, so that any number of readers see the same; stop because the broker is away.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from consumers.loop import CLOSE_MS, POLL_MS, Consumer, partitions_of, while_wanted
from pipeline.runtime.health import Health


class Follower:
    """Follows topics until told to stop; after an outage it reads them from their beginning once more."""

    def __init__(
        self,
        topics: Sequence[str],
        connection: Mapping[str, Any],
        health: Health,
        take: Callable[[Any], None],
        caught_up: Callable[[], None],
    ) -> None:
        self._topics = topics
        self._connection = connection
        self._health = health
        self._take = take
        self._caught_up = caught_up
        self._stop = threading.Event()
        self.is_caught_up = False

    def stop(self) -> None:
        """End after the poll under way."""
        self._stop.set()

    def run(self) -> None:
        """Read everything, then go on reading."""
        while_wanted(self._stop, self._connection, self._health, self._follow)

    def _follow(self) -> None:
        consumer = Consumer(**self._connection, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
        try:
            partitions = partitions_of(consumer, self._topics, self._health, self._stop)
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            while not self._stop.is_set():
                for batch in consumer.poll(timeout_ms=POLL_MS).values():
                    for record in batch:
                        self._take(record)
                if not self.is_caught_up and all(consumer.position(one) >= end for one, end in ends.items()):
                    self.is_caught_up = True
                    self._health.is_ready()
                    self._caught_up()
        finally:
            consumer.close(timeout_ms=CLOSE_MS)
