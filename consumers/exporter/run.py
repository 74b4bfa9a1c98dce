"""The exporter's I/O: reads two compacted topics from their beginning, keeps a book, serves it.

In: `alliance.therapists.v1` and `alliance.flags.v1`, all partitions. Out: a filled `Book`, counted news.
Never: join a group or commit (every exporter reads everything, so two of them show the same), or show figures before it
has read what was there at its start.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from consumers.exporter.figures import Book
from consumers.exporter.series import FlagMeters, TherapistCollector
from consumers.loop import CLOSE_MS, PAUSE_SECONDS, Prober, may_pass
from pipeline.health import Health, serve
from pipeline.meters import Meters
from schemas.codec import decode_flag, decode_therapist
from schemas.topics import FLAGS, THERAPISTS

log = logging.getLogger(__name__)

TOPICS = (THERAPISTS, FLAGS)


class Exporter:
    """Follows the two topics until told to stop."""

    def __init__(self, book: Book, meters: FlagMeters, connection: Mapping[str, Any], health: Health) -> None:
        self._book = book
        self._meters = meters
        self._connection = connection
        self._health = health
        self._stop = threading.Event()
        self._is_caught_up = False

    def stop(self) -> None:
        """End after the poll under way."""
        self._stop.set()

    def run(self) -> None:
        """Read everything, then go on reading."""
        with Prober(self._connection, self._health):
            while not self._stop.is_set():
                try:
                    self._follow()
                except KafkaError as error:
                    if not may_pass(error):
                        raise
                    log.warning("No broker (%s); trying again.", type(error).__name__)
                    self._stop.wait(PAUSE_SECONDS)

    def _follow(self) -> None:
        consumer = KafkaConsumer(
            **self._connection, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            partitions = [
                TopicPartition(topic, partition)
                for topic in TOPICS
                for partition in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            while not self._stop.is_set():
                for batch in consumer.poll(timeout_ms=200).values():
                    for record in batch:
                        self._take(record)
                if not self._is_caught_up and all(consumer.position(one) >= end for one, end in ends.items()):
                    self._is_caught_up = True
                    self._health.is_ready()
        finally:
            consumer.close(timeout_ms=CLOSE_MS)

    def _take(self, record: Any) -> None:
        key = (record.key or b"").decode()
        if record.topic == THERAPISTS:
            self._book.take_therapist(key, None if record.value is None else decode_therapist(record.value))
            return
        flag = None if record.value is None else decode_flag(record.value)
        told = self._book.take_flag(key, flag)
        if flag is not None and self._is_caught_up:
            self._meters.count(told, flag.team)


def run_exporter(
    connection: Mapping[str, Any],
    *,
    address: tuple[str, int],
    version: str,
    on_stop: Callable[[Callable[[], None]], None],
) -> None:
    """Run until stopped."""
    health, meters = Health("exporter"), Meters(version)
    book = Book()
    meters.registry.register(TherapistCollector(book, lambda: datetime.now(UTC)))
    exporter = Exporter(book, FlagMeters(meters.registry), connection, health)
    serve(*address, health, meters.registry)
    on_stop(exporter.stop)
    exporter.run()
