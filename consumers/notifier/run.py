"""The notifier's I/O: follows the flags, keeps each Alertmanager at what they say.

In: `alliance.flags.v1`, all partitions, from its beginning: the log is the only memory, so a restart loses nothing, and
the same flag has the same labels, so it doubles nothing. Out: alerts at every Alertmanager, health, metrics.
Never: send before it has read what was there at its start; write to the log; stop because an Alertmanager is away.

Several notifiers may run: what they send is the same.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from prometheus_client import Gauge

from consumers.notifier.alertmanager import Alertmanager
from consumers.notifier.alerts import Board
from consumers.notifier.delivery import Courier
from consumers.topic_reader import Follower
from pipeline.runtime.health import Health
from pipeline.runtime.http import serve
from pipeline.runtime.metrics import Meters
from schemas.codec import decode_flag
from schemas.topics import FLAGS


class Notifier:
    """A board, its reader, and one courier per Alertmanager."""

    def __init__(
        self,
        connection: Mapping[str, Any],
        alertmanagers: Sequence[str],
        worklist_url: str,
        meters: Meters,
        health: Health,
    ) -> None:
        self._board = Board()
        self._lock = threading.RLock()
        self._follower = Follower((FLAGS,), connection, health, self._take, self._start_couriers)
        undelivered_since = Gauge(
            "alliance_notifier_undelivered_since_timestamp_seconds",
            "Since when this Alertmanager takes nothing; 0: it does.",
            ["alertmanager"],
            registry=meters.registry,
        )
        open_flags = Gauge("alliance_notifier_open_flags", "Flags that wait for somebody.", registry=meters.registry)
        open_flags.set_function(lambda: len(self._board.open))
        self._couriers = [
            Courier(
                Alertmanager(address),
                self._board,
                self._lock,
                health,
                part="alertmanager" if len(alertmanagers) == 1 else f"alertmanager {number}",
                worklist_url=worklist_url,
                undelivered_since=undelivered_since.labels(str(number)),
                latency=meters.latency.labels("notifier"),
            )
            for number, address in enumerate(alertmanagers, start=1)
        ]
        self._threads = ThreadPoolExecutor(len(self._couriers), thread_name_prefix="courier")
        self._running: list[Future[None]] = []

    def stop(self) -> None:
        """End soon; what is owed is in the log."""
        self._follower.stop()

    def run(self) -> None:
        """Follow and deliver until `stop`, or until a bug shows, which is raised here."""
        try:
            self._follower.run()
        finally:
            for courier in self._couriers:
                courier.stop()
            self._threads.shutdown()
        for one in self._running:
            one.result()

    def _take(self, record: Any) -> None:
        flag = None if record.value is None else decode_flag(record.value)
        with self._lock:
            change = self._board.take((record.key or b"").decode(), flag)
            if self._follower.is_caught_up:
                for courier in self._couriers:
                    courier.tell(change, record.timestamp / 1000)

    def _start_couriers(self) -> None:
        for courier in self._couriers:
            running = self._threads.submit(courier.run)
            running.add_done_callback(lambda _: self._follower.stop())
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
