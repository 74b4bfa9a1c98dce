"""The exporter's I/O: follows two compacted topics, keeps a book, serves it.

In: `alliance.therapists.v1` and `alliance.flags.v1`, all partitions. Out: `/metrics`, counted news.
Never: show figures before it has read what was there at its start; count as new what was there at its start (two
exporters, or one after another, then count the same events since each began, and `increase` is right of each).
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from consumers.exporter.exposition import Exposition
from consumers.exporter.series import FlagMeters
from consumers.exporter.state import Book
from consumers.topic_reader import Follower
from pipeline.runtime.health import Health
from pipeline.runtime.http import serve
from pipeline.runtime.metrics import Meters
from schemas.codec import decode_flag, decode_therapist
from schemas.topics import FLAGS, THERAPISTS

TOPICS = (THERAPISTS, FLAGS)


class Exporter:
    """The book and what is served of it."""

    def __init__(self, meters: Meters, connection: Mapping[str, Any], health: Health) -> None:
        self._book = Book()
        self._exposition = Exposition()
        self._flag_meters = FlagMeters(meters.registry)
        self._meters = meters
        self._is_complete = threading.Event()
        self._follower = Follower(TOPICS, connection, health, self._take, self._is_complete.set)
        self.stop = self._follower.stop
        self.run = self._follower.run

    def block(self) -> bytes:
        """The per-therapist block; nothing until the book is complete."""
        return self._exposition.block(datetime.now(UTC)) if self._is_complete.is_set() else b""

    def _take(self, record: Any) -> None:
        key = (record.key or b"").decode()
        if record.topic == THERAPISTS:
            self._take_therapist(key, record)
        else:
            self._take_flag(key, record.value)

    def _take_therapist(self, therapist_id: str, record: Any) -> None:
        summary = None if record.value is None else decode_therapist(record.value)
        if not self._book.take_therapist(therapist_id, summary):
            return
        if summary is None:
            self._exposition.remove(therapist_id)
            return
        self._exposition.put(self._book.therapists[therapist_id])
        self._flag_meters.know(summary.team)
        if self._follower.is_caught_up:
            self._meters.done("exporter", [record.timestamp / 1000])

    def _take_flag(self, flag_id: str, value: bytes | None) -> None:
        flag = None if value is None else decode_flag(value)
        told = self._book.take_flag(flag_id, flag)
        if flag is None:
            return
        if self._follower.is_caught_up:
            self._flag_meters.count(told, flag.team)
        else:
            self._flag_meters.know(flag.team)


def run_exporter(
    connection: Mapping[str, Any],
    *,
    address: tuple[str, int],
    version: str,
    on_stop: Callable[[Callable[[], None]], None],
) -> None:
    """Run until stopped."""
    health, meters = Health("exporter"), Meters(version)
    exporter = Exporter(meters, connection, health)
    serve(*address, health, meters.registry, exporter.block)
    on_stop(exporter.stop)
    exporter.run()
