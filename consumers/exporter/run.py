"""Runs the exporter process: reads two compacted topics and serves `/metrics`.

In: `alliance.therapists.v1` and `alliance.flags.v1`, all partitions. Out: `/metrics`.
Never: show a therapist before everything that was there at the start has been read; count a flag that was there at the
start. So each exporter counts what happened since its own start, and `increase` is right for each of them.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from consumers.exporter.exposition import Exposition
from consumers.exporter.metrics import FlagMeters
from consumers.exporter.state import ExporterState
from consumers.topic_reader import TopicReader
from pipeline.runtime.health import Health
from pipeline.runtime.http import serve
from pipeline.runtime.metrics import Meters
from schemas.codec import decode_flag, decode_therapist
from schemas.topics import FLAGS, THERAPISTS

TOPICS = (THERAPISTS, FLAGS)


class Exporter:
    """Keeps the state up to date and serves it."""

    def __init__(self, meters: Meters, connection: Mapping[str, Any], health: Health) -> None:
        self._state = ExporterState()
        self._exposition = Exposition()
        self._flag_meters = FlagMeters(meters.registry)
        self._meters = meters
        self._is_complete = threading.Event()
        self._reader = TopicReader(TOPICS, connection, health, self._update, self._is_complete.set)
        self.stop = self._reader.stop
        self.run = self._reader.run

    def block(self) -> bytes:
        """The per-therapist block; empty until everything that was there at the start has been read."""
        return self._exposition.block(datetime.now(UTC)) if self._is_complete.is_set() else b""

    def _update(self, record: Any) -> None:
        key = (record.key or b"").decode()
        if record.topic == THERAPISTS:
            self._update_therapist(key, record)
        else:
            self._update_flag(key, record.value)

    def _update_therapist(self, therapist_id: str, record: Any) -> None:
        summary = None if record.value is None else decode_therapist(record.value)
        if not self._state.update_therapist(therapist_id, summary):
            return
        if summary is None:
            self._exposition.remove(therapist_id)
            return
        self._exposition.put(self._state.therapists[therapist_id])
        self._flag_meters.add_team(summary.team)
        if self._reader.is_caught_up:
            self._meters.done("exporter", [record.timestamp / 1000])

    def _update_flag(self, flag_id: str, value: bytes | None) -> None:
        flag = None if value is None else decode_flag(value)
        change = self._state.update_flag(flag_id, flag)
        if flag is None:
            return
        if self._reader.is_caught_up:
            self._flag_meters.count(change, flag.team)
        else:
            self._flag_meters.add_team(flag.team)


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
