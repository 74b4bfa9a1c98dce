"""Runs the notifier process: reads the flags and keeps every Alertmanager up to date.

In: `alliance.flags.v1`, all partitions, from the beginning. Out: alerts at every Alertmanager, health, metrics.
Never: send before everything that was there at the start has been read; stop because an Alertmanager is away.

The topic is the only memory, so a restart loses nothing. The same flag always has the same labels, so sending it again,
or from several notifiers, does not double it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from prometheus_client import Gauge

from consumers.notifier.alertmanager import Alertmanager
from consumers.notifier.alerts import OpenFlags
from consumers.notifier.delivery import AlertDelivery
from consumers.topic_reader import TopicReader
from pipeline.runtime.health import Health
from pipeline.runtime.http import serve
from pipeline.runtime.metrics import Meters
from schemas.codec import decode_flag
from schemas.topics import FLAGS


class Notifier:
    """The open flags, their reader, and one delivery for each Alertmanager."""

    def __init__(
        self,
        connection: Mapping[str, Any],
        alertmanagers: Sequence[str],
        worklist_url: str,
        meters: Meters,
        health: Health,
    ) -> None:
        self._open_flags = OpenFlags()
        self._lock = threading.RLock()
        self._reader = TopicReader((FLAGS,), connection, health, self._update, self._start_deliveries)
        undelivered_since = Gauge(
            "alliance_notifier_undelivered_since_timestamp_seconds",
            "Since when this Alertmanager has accepted no alerts; 0 if it does.",
            ["alertmanager"],
            registry=meters.registry,
        )
        open_count = Gauge(
            "alliance_notifier_open_flags", "Flags that wait for an acknowledgement.", registry=meters.registry
        )
        open_count.set_function(lambda: len(self._open_flags.alerts))
        self._deliveries = [
            AlertDelivery(
                Alertmanager(address),
                self._open_flags,
                self._lock,
                health,
                part="alertmanager" if len(alertmanagers) == 1 else f"alertmanager {number}",
                worklist_url=worklist_url,
                undelivered_since=undelivered_since.labels(str(number)),
                latency=meters.latency.labels("notifier"),
            )
            for number, address in enumerate(alertmanagers, start=1)
        ]
        self._threads = ThreadPoolExecutor(len(self._deliveries), thread_name_prefix="delivery")
        self._running: list[Future[None]] = []

    def stop(self) -> None:
        """End soon. The next notifier reads from Kafka what was not delivered."""
        self._reader.stop()

    def run(self) -> None:
        """Read and deliver until `stop`. A bug in one of the threads is raised here."""
        try:
            self._reader.run()
        finally:
            for delivery in self._deliveries:
                delivery.stop()
            self._threads.shutdown()
        for thread in self._running:
            thread.result()

    def _update(self, record: Any) -> None:
        flag = None if record.value is None else decode_flag(record.value)
        with self._lock:
            change = self._open_flags.update((record.key or b"").decode(), flag)
            if self._reader.is_caught_up:
                for delivery in self._deliveries:
                    delivery.enqueue(change, record.timestamp / 1000)

    def _start_deliveries(self) -> None:
        for delivery in self._deliveries:
            running = self._threads.submit(delivery.run)
            # A delivery ends only when it is stopped or meets a bug; in both cases the process should end.
            running.add_done_callback(lambda _: self._reader.stop())
            self._running.append(running)


def run_notifier(
    connection: Mapping[str, Any],
    *,
    alertmanagers: Sequence[str],
    worklist_url: str,
    address: tuple[str, int],
    version: str,
    on_stop: Callable[[Callable[[], None]], None],
) -> None:
    """Run until stopped."""
    health, meters = Health("notifier"), Meters(version)
    serve(*address, health, meters.registry)
    notifier = Notifier(connection, alertmanagers, worklist_url, meters, health)
    on_stop(notifier.stop)
    notifier.run()
