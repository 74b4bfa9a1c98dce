"""The loop of a consumer that keeps its own position: poll, write, commit, in this order.

In: topics, and a `Sink`. Out: batches of records for the sink; the group's committed offsets, which only show the lag.
Never: skip a record, or stop because the broker or the database is away (it waits and says so in health).

How far a sink has read is what its own `positions` say, not the group's offsets.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from consumers.header_names import accept_any_header_name
from consumers.kafka_consumer import CLOSE_MS, POLL_MS, Consumer
from consumers.reconnect import run_until_stopped
from consumers.retry import Answer, retry_while_unavailable
from consumers.sink import PositionConflict, Sink
from consumers.start_positions import StartPositions
from consumers.topic_wait import wait_for_partitions
from pipeline.runtime.health import Health

log = logging.getLogger(__name__)

#: The most that one transaction of a sink writes: by count, and by bytes for one fetch of all partitions. Measured in
#: docs/benchmarks/store.md.
MOST_RECORDS = 10_000
MOST_FETCHED_BYTES = 16 * 1024 * 1024
#: An hour: the loop waits for a database in place, between two polls, and must not lose its partitions meanwhile.
MOST_POLL_INTERVAL_MS = 3_600_000
METADATA_MS = 5000
#: How often a loop without records asks whether the database answers.
CHECK_SECONDS = 2.0


class Loop(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs one sink until it is stopped."""

    def __init__(
        self,
        sink: Sink,
        topics: Sequence[str],
        connection: Mapping[str, Any],
        health: Health,
        *,
        group: str,
        session_timeout_seconds: int,
        accepts_gap: bool = False,
    ) -> None:
        self._sink = sink
        self._topics = list(topics)
        self._health = health
        self._connection = connection
        self._group = group
        self._session_timeout_ms = session_timeout_seconds * 1000
        self._stop = threading.Event()
        self._start_positions = StartPositions(sink, health, self._stop, accepts_gap=accepts_gap)
        self._consumer: Any = None
        #: Assigned partitions in which the consumer has not been moved to the sink's positions yet.
        self._unsought: list[TopicPartition] = []
        self._next_check_at = 0.0

    def stop(self) -> None:
        """End after the current batch."""
        self._stop.set()

    def run(self) -> None:
        """Consume until `stop`."""
        accept_any_header_name()
        run_until_stopped(self._stop, self._connection, self._health, self._consume)

    def _consume(self) -> None:
        """Consume with one consumer until `stop` or until the broker goes."""
        self._consumer = Consumer(
            **self._connection,
            group_id=self._group,
            enable_auto_commit=False,
            # "none" raises when records are missing; any other value would skip them without a word.
            auto_offset_reset="none",
            max_poll_records=MOST_RECORDS,
            fetch_max_bytes=MOST_FETCHED_BYTES,
            max_poll_interval_ms=MOST_POLL_INTERVAL_MS,
            session_timeout_ms=self._session_timeout_ms,
            heartbeat_interval_ms=max(500, self._session_timeout_ms // 4),
            fetch_max_wait_ms=100,
            # If kafka-python assigns no partition at first (see below), it tries again at the next refresh.
            metadata_max_age_ms=METADATA_MS,
        )
        try:
            self._consumer.subscribe(self._topics, listener=self)
            # A poll before the topics' metadata has arrived can make kafka-python assign no partition at all.
            wait_for_partitions(self._consumer, self._topics, self._health, self._stop)
            while not self._stop.is_set():
                self._poll_once()
        finally:
            self._consumer.close(timeout_ms=CLOSE_MS)

    def _poll_once(self) -> None:
        try:
            polled = self._consumer.poll(timeout_ms=POLL_MS)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError):
            # This group is new, or Kafka deleted records before they were read: the sink's positions decide.
            polled, self._unsought = {}, self._unsought or list(self._consumer.assignment())
        if self._unsought:
            # What was just polled may be from elsewhere than the sink's positions; it will be polled again.
            assigned, self._unsought = self._unsought, []
            self._seek(assigned)
            self._health.is_ready()
            return
        records = [record for batch in polled.values() for record in batch]
        if records:
            self._write(records)
        elif time.monotonic() >= self._next_check_at:
            # There is nothing to write: report in health if the database is away all the same.
            self._retry(lambda: self._sink.positions([]))
        else:
            return
        self._next_check_at = time.monotonic() + CHECK_SECONDS

    def _write(self, records: list[Any]) -> None:
        try:
            is_durable = self._retry(lambda: self._has_written(records))
        except PositionConflict:
            log.warning("Another process has moved the position; continuing from the new one.")
            self._seek(list(self._consumer.assignment()))
        else:
            if is_durable:
                self._commit(records)

    def _has_written(self, records: list[Any]) -> bool:
        self._sink.write(records)
        return True

    def _retry(self, act: Callable[[], Answer]) -> Answer | None:
        return retry_while_unavailable(act, self._sink.part, self._health, self._stop)

    def _commit(self, records: list[Any]) -> None:
        """Commit the group's offsets, so that monitors see the lag; nothing else reads them."""
        last = {(record.topic, record.partition): record.offset for record in records}
        self._consumer.commit_async(
            {TopicPartition(*place): OffsetAndMetadata(offset + 1, "", -1) for place, offset in last.items()}
        )

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Remember to seek; not here, because kafka-python's own thread runs this and must not wait for a database."""
        self._unsought = list(assigned)

    def on_partitions_revoked(self, revoked: Any) -> None:
        """There is nothing to give back: positions are durable together with the rows."""

    def _seek(self, partitions: list[TopicPartition]) -> None:
        again = self._start_positions.seek(self._consumer, partitions)
        if again is not None:
            self._unsought = again
