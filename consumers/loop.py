"""One loop for every consumer: poll, hand over, go on only when what was handed over is durable.

In: a kafka-python consumer and a `Sink`. Out: batches of records; the group's committed offsets, for lag only.
Never: pass over a record, or stop because the broker or a database is away (it waits and says so in health).

The truth about how far a sink has come is the sink's own (`positions`), not the group's offsets.
"""

import logging
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from pipeline.health import Health

log = logging.getLogger(__name__)

POLL_MS = 200
MOST_RECORDS = 2000
PAUSE_SECONDS = 0.5
PROBE_SECONDS = 2.0


class Unavailable(Exception):
    """What the sink writes to is away; nothing was written. `part` is its name in health."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(why)
        self.part = part
        self.why = why


class Overtaken(Exception):
    """Another process has moved the sink's position; go on from where it stands now."""


class Record(Protocol):
    """A record as kafka-python gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Sink(Protocol):
    """Where facts go."""

    def positions(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The next offset wanted of each partition; a partition left out starts at its beginning."""
        ...

    def take(self, records: Sequence[Record]) -> None:
        """Make the records and the new positions durable, both or neither. Raises `Unavailable`, `Overtaken`."""
        ...


class Loop(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs one sink until told to stop."""

    def __init__(
        self,
        sink: Sink,
        topics: Sequence[str],
        connection: Mapping[str, Any],
        health: Health,
        *,
        group: str,
        session_timeout_seconds: int,
    ) -> None:
        self._sink = sink
        self._topics = list(topics)
        self._health = health
        self._connection = connection
        self._group = group
        self._session_timeout_ms = session_timeout_seconds * 1000
        self._stop = threading.Event()
        self._consumer: Any = None
        self._prober = Prober(connection, health)

    def stop(self) -> None:
        """End after the batch under way."""
        self._stop.set()

    def run(self) -> None:
        """Consume until `stop`."""
        self._connect()
        try:
            self._consumer.subscribe(self._topics, listener=self)
            while not self._stop.is_set():
                self._turn()
        finally:
            if self._consumer is not None:
                self._consumer.close()

    def _connect(self) -> None:
        """Make the consumer; wait for the broker as long as it takes."""
        while not self._stop.is_set():
            try:
                self._consumer = KafkaConsumer(
                    **self._connection,
                    group_id=self._group,
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                    max_poll_records=MOST_RECORDS,
                    max_poll_interval_ms=3_600_000,
                    session_timeout_ms=self._session_timeout_ms,
                    heartbeat_interval_ms=max(500, self._session_timeout_ms // 4),
                    fetch_max_wait_ms=100,
                )
            except KafkaError as error:
                self._health.waits_for("broker", "no broker answers")
                log.warning("No broker yet (%s); trying again.", type(error).__name__)
                self._stop.wait(PAUSE_SECONDS)
            else:
                self._health.has("broker")
                return

    def _turn(self) -> None:
        polled = self._consumer.poll(timeout_ms=POLL_MS)
        records = [record for batch in polled.values() for record in batch]
        if records:
            self._hand_over(records)
        self._prober.probe()

    def _hand_over(self, records: list[Any]) -> None:
        while not self._stop.is_set():
            try:
                self._sink.take(records)
            except Unavailable as error:
                self._health.waits_for(error.part, error.why)
                log.warning("Waiting for the %s; nothing is lost.", error.part)
                self._stop.wait(PAUSE_SECONDS)
            except Overtaken:
                self._seek(list(self._consumer.assignment()))
                return
            else:
                self._commit(records)
                return

    def _commit(self, records: list[Any]) -> None:
        """Tell the broker how far we are, so that lag can be seen; nothing rests on it."""
        last = {TopicPartition(one.topic, one.partition): one.offset + 1 for one in records}
        self._consumer.commit_async({tp: OffsetAndMetadata(offset, "", -1) for tp, offset in last.items()})

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Start where the sink stands."""
        self._seek(list(assigned))
        self._health.is_ready()

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing to give back: positions are durable with the rows."""

    def _seek(self, partitions: list[TopicPartition]) -> None:
        positions = self._when_available(partitions)
        for partition in partitions:
            if partition in positions:
                self._consumer.seek(partition, positions[partition])

    def _when_available(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        while not self._stop.is_set():
            try:
                return self._sink.positions(partitions)
            except Unavailable as error:
                self._health.waits_for(error.part, error.why)
                self._stop.wait(PAUSE_SECONDS)
        return {}


class Prober:
    """Says in health whether a broker answers; kafka-python itself waits in silence."""

    def __init__(self, connection: Mapping[str, Any], health: Health) -> None:
        self._bootstrap = str(connection["bootstrap_servers"])
        self._health = health
        self._next = 0.0

    def probe(self) -> None:
        """Look, at most every two seconds."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PROBE_SECONDS
        if answers(self._bootstrap):
            self._health.has("broker")
        else:
            self._health.waits_for("broker", "no broker answers")


def answers(bootstrap: str) -> bool:
    """Whether any of the brokers takes a connection."""
    for one in bootstrap.split(","):
        host, _, port = one.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=1.0).close()
        except OSError:
            continue
        return True
    return False
