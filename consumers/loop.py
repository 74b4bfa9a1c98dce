"""One loop for every consumer: poll, hand over, go on only when what was handed over is durable.

In: a kafka-python consumer and a `Sink`. Out: batches of records; the group's committed offsets, for lag only.
Never: pass over a record, or stop because the broker or a database is away (it waits and says so in health).

The truth about how far a sink has come is the sink's own (`positions`), not the group's offsets.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from consumers.header_names import forgive_header_names
from pipeline.runtime.broker_probe import probe_broker
from pipeline.runtime.health import Health

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

POLL_MS = 200
#: The most that one transaction of a sink writes; by count, and by bytes for one fetch of all partitions.
MOST_RECORDS = 10_000
MOST_FETCHED_BYTES = 16 * 1024 * 1024
PAUSE_SECONDS = 0.5
CLOSE_MS = 2000
METADATA_MS = 5000
PROBE_SECONDS = 2.0
LOOK_SECONDS = 0.1
#: A consumer is made when a broker has just answered; for one that has gone meanwhile kafka-python would wait half a
#: minute, deaf to `stop`.
BOOTSTRAP_MS = 2500


class Unavailable(Exception):
    """What the sink writes to is away; nothing was written. `part` is its name in health."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(why)
        self.part = part
        self.why = why


class LogIsShorter(Exception):
    """A topic ends before the position of the sink: it was made anew, and going on would pass over its records."""

    def __init__(self, partition: TopicPartition, position: int, end: int) -> None:
        super().__init__(
            f"{partition.topic}, partition {partition.partition} ends at {end}, but position {position} has been read: "
            "the topic was made anew. See docs/operations/backup.md."
        )


class LogStartsLater(Exception):
    """A topic begins after the position of the sink: records left by retention before they were read."""

    def __init__(self, partition: TopicPartition, position: int, beginning: int) -> None:
        super().__init__(
            f"{partition.topic}, partition {partition.partition} begins at {beginning}, after the position {position}: "
            f"{beginning - position} records have left the log unread. Send them again from where they came, then "
            "start with --accept-gap."
        )


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

    #: The name in health of what it writes to.
    part: str

    def positions(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The next offset wanted of each partition; a partition left out starts at its beginning."""
        ...

    def take(self, records: Sequence[Record]) -> None:
        """Make the records and the new positions durable, both or neither. Raises `Unavailable`, `Overtaken`."""
        ...

    def pass_over(self, partition: TopicPartition, position: int, beginning: int) -> None:
        """Make it durable that what lies between is not wanted. Raises as `take`."""
        ...


class Consumer(KafkaConsumer):  # type: ignore[misc]
    """kafka-python's, that leaves no thread and no socket behind when it cannot be made."""

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(bootstrap_timeout_ms=BOOTSTRAP_MS, **options)
        except Exception:
            # Its own `close` is for one that was made.
            if hasattr(self, "_client"):
                self._client.close()
            raise


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
        accepts_gap: bool = False,
    ) -> None:
        self._sink = sink
        self._accepts_gap = accepts_gap
        self._topics = list(topics)
        self._health = health
        self._connection = connection
        self._group = group
        self._session_timeout_ms = session_timeout_seconds * 1000
        self._stop = threading.Event()
        self._consumer: Any = None
        self._assigned: list[TopicPartition] = []
        self._next_look = 0.0

    def stop(self) -> None:
        """End after the batch under way."""
        self._stop.set()

    def run(self) -> None:
        """Consume until `stop`."""
        forgive_header_names()
        while_wanted(self._stop, self._connection, self._health, self._follow)

    def _follow(self) -> None:
        """Consume with one consumer until `stop` or until the broker goes; a new one starts where the sink stands."""
        self._consumer = Consumer(
            **self._connection,
            group_id=self._group,
            enable_auto_commit=False,
            # What left the log unread must not be passed over in silence.
            auto_offset_reset="none",
            max_poll_records=MOST_RECORDS,
            fetch_max_bytes=MOST_FETCHED_BYTES,
            max_poll_interval_ms=3_600_000,
            session_timeout_ms=self._session_timeout_ms,
            heartbeat_interval_ms=max(500, self._session_timeout_ms // 4),
            fetch_max_wait_ms=100,
            # Should it assign nothing all the same, it assigns anew with the next metadata.
            metadata_max_age_ms=METADATA_MS,
        )
        try:
            self._consumer.subscribe(self._topics, listener=self)
            # Polled before the topics' metadata came, kafka-python may assign nothing and leave it at that.
            partitions_of(self._consumer, self._topics, self._health, self._stop)
            while not self._stop.is_set():
                self._turn()
        finally:
            self._consumer.close(timeout_ms=CLOSE_MS)

    def _turn(self) -> None:
        try:
            polled = self._consumer.poll(timeout_ms=POLL_MS)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError):
            # Nobody has read here yet, or retention was faster: where the sink stands decides.
            polled, self._assigned = {}, self._assigned or list(self._consumer.assignment())
        if self._assigned:
            # What was just polled may lie elsewhere than where the sink stands; it will be polled again.
            assigned, self._assigned = self._assigned, []
            self._seek(assigned)
            self._health.is_ready()
            return
        records = [record for batch in polled.values() for record in batch]
        if records:
            self._hand_over(records)
        elif time.monotonic() >= self._next_look:
            # Nothing to write: still say in health when what we would write to is away.
            self._when_available(lambda: self._sink.positions([]))
        else:
            return
        self._next_look = time.monotonic() + PROBE_SECONDS

    def _hand_over(self, records: list[Any]) -> None:
        try:
            is_durable = self._when_available(lambda: self._take(records))
        except Overtaken:
            log.warning("Another process has moved the position; going on from where it stands.")
            self._seek(list(self._consumer.assignment()))
        else:
            if is_durable:
                self._commit(records)

    def _take(self, records: list[Any]) -> bool:
        self._sink.take(records)
        return True

    def _when_available(self, act: Callable[[], Answer]) -> Answer | None:
        """Act as soon as what the sink writes to is there; None when told to stop before."""
        while not self._stop.is_set():
            try:
                answer = act()
            except Unavailable as error:
                self._health.waits_for(error.part, error.why)
                log.warning("Waiting for the %s; nothing is lost.", error.part)
                self._stop.wait(PAUSE_SECONDS)
            else:
                self._health.has(self._sink.part)
                return answer
        return None

    def _commit(self, records: list[Any]) -> None:
        """Tell the broker how far we are, so that lag can be seen; nothing rests on it."""
        last = {(one.topic, one.partition): one.offset for one in records}
        self._consumer.commit_async(
            {TopicPartition(*where): OffsetAndMetadata(offset + 1, "", -1) for where, offset in last.items()}
        )

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Remember to start where the sink stands: this runs in kafka-python's own thread, which may not wait."""
        self._assigned = list(assigned)

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing to give back: positions are durable with the rows."""

    def _seek(self, partitions: list[TopicPartition]) -> None:
        try:
            self._seek_each(partitions)
        except ValueError:
            # So kafka-python says that a partition is not ours any more: the next rebalance has begun meanwhile.
            assigned = list(self._consumer.assignment())
            if set(partitions) <= set(assigned):
                raise
            self._assigned = assigned

    def _seek_each(self, partitions: list[TopicPartition]) -> None:
        positions = self._when_available(lambda: self._sink.positions(partitions)) or {}
        ends = self._consumer.end_offsets(list(positions)) if positions else {}
        beginnings = self._consumer.beginning_offsets(list(positions)) if positions else {}
        for partition in partitions:
            position = positions.get(partition)
            if position is None:
                self._consumer.seek_to_beginning(partition)
            elif position > ends[partition]:
                raise LogIsShorter(partition, position, ends[partition])
            elif position < beginnings[partition]:
                self._pass_over(partition, position, beginnings[partition])
            else:
                self._consumer.seek(partition, position)

    def _pass_over(self, partition: TopicPartition, position: int, beginning: int) -> None:
        """Go on behind a gap that somebody accepts."""
        if not self._accepts_gap:
            raise LogStartsLater(partition, position, beginning)
        log.warning(
            "%s, partition %d: passing over %d records that have left the log unread, as told.",
            partition.topic,
            partition.partition,
            beginning - position,
        )
        try:
            self._when_available(lambda: self._sink.pass_over(partition, position, beginning))
        except Overtaken:
            self._seek_each([partition])
        else:
            self._consumer.seek(partition, beginning)


class Prober:
    """Says in health whether a broker answers, from a thread of its own: kafka-python waits in silence."""

    def __init__(self, connection: Mapping[str, Any], health: Health) -> None:
        self._bootstrap = str(connection["bootstrap_servers"])
        self._health = health
        self._is_over = False
        self._hurry = threading.Event()
        self._answered = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prober", daemon=True)

    def __enter__(self) -> "Prober":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over = True
        self._hurry.set()
        # It may be looking for a name or waiting for an answer; nothing is lost with it.
        self._thread.join(PAUSE_SECONDS)

    def wait_for_answer(self, stop: threading.Event) -> bool:
        """Until a broker answers; False when told to stop before."""
        self._answered.clear()
        self._hurry.set()
        while not stop.is_set():
            if self._answered.wait(LOOK_SECONDS):
                return True
        return False

    def _run(self) -> None:
        was_there = True
        while not self._is_over:
            is_there = probe_broker(self._bootstrap, self._health)
            if is_there:
                self._answered.set()
            elif was_there:
                log.warning("No broker answers; waiting, nothing is lost.")
            was_there = is_there
            self._hurry.wait(PROBE_SECONDS)
            self._hurry.clear()


def while_wanted(
    stop: threading.Event, connection: Mapping[str, Any], health: Health, follow: Callable[[], None]
) -> None:
    """Follow the log until told to stop; when the broker goes, follow anew as soon as it answers again."""
    with Prober(connection, health) as prober:
        while prober.wait_for_answer(stop):
            try:
                follow()
            except KafkaError as error:
                if not may_pass(error):
                    raise
                # Not the prober's part: it would take the word back, since a broker answers.
                health.waits_for("log", f"the broker gives no access to it ({type(error).__name__})")
                log.warning("The broker is away (%s); trying again.", type(error).__name__)
                stop.wait(PAUSE_SECONDS)


def partitions_of(consumer: Any, topics: Sequence[str], health: Health, stop: threading.Event) -> list[TopicPartition]:
    """All partitions of all topics; waits, and says so, for a topic that is not there yet."""
    while not stop.is_set():
        found = {topic: sorted(consumer.partitions_for_topic(topic) or ()) for topic in topics}
        health.has("log")
        absent = [topic for topic, numbers in found.items() if not numbers]
        if not absent:
            health.has("topics")
            return [TopicPartition(topic, number) for topic, numbers in found.items() for number in numbers]
        health.waits_for("topics", f"these do not exist: {', '.join(absent)}; `alliance topics` makes them")
        stop.wait(PAUSE_SECONDS)
    return []


def may_pass(error: KafkaError) -> bool:
    """Whether waiting may help; anything else is a wrong configuration or a bug and stops the process."""
    return bool(error.retriable)
