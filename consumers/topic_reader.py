"""Reads whole topics from their beginning and continues with what is new, for consumers whose only memory is Kafka.

In: compacted topics, all partitions. Out: every record, in the order of its partition; a call once everything that was
there at the start has been read.
Never: join a group or commit, so that any number of readers see the same; stop because the broker is away.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from consumers.kafka_consumer import CLOSE_MS, POLL_MS, Consumer
from consumers.reconnect import run_until_stopped
from consumers.topic_wait import wait_for_partitions
from pipeline.runtime.health import Health


class TopicReader:
    """Reads topics until it is stopped; after an outage of the broker it reads them from their beginning again."""

    def __init__(
        self,
        topics: Sequence[str],
        connection: Mapping[str, Any],
        health: Health,
        on_record: Callable[[Any], None],
        on_caught_up: Callable[[], None],
    ) -> None:
        self._topics = topics
        self._connection = connection
        self._health = health
        self._on_record = on_record
        self._on_caught_up = on_caught_up
        self._stop = threading.Event()
        #: Whether everything that was there at the start has been read. It stays true through an outage.
        self.is_caught_up = False

    def stop(self) -> None:
        """End after the current poll."""
        self._stop.set()

    def run(self) -> None:
        """Read everything, then what is new, until `stop`."""
        run_until_stopped(self._stop, self._connection, self._health, self._read)

    def _read(self) -> None:
        consumer = Consumer(**self._connection, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
        try:
            partitions = wait_for_partitions(consumer, self._topics, self._health, self._stop)
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            while not self._stop.is_set():
                for batch in consumer.poll(timeout_ms=POLL_MS).values():
                    for record in batch:
                        self._on_record(record)
                if not self.is_caught_up and all(consumer.position(tp) >= end for tp, end in ends.items()):
                    self.is_caught_up = True
                    self._health.is_ready()
                    self._on_caught_up()
        finally:
            consumer.close(timeout_ms=CLOSE_MS)
