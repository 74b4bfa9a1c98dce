"""Whether a process is healthy, and what it waits for.

In: reports of the parts of a process. Out: one report for `/health`, one metric.
Never: anything about a client.
"""

import threading
import time
from collections.abc import Iterable

from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector


class Health:
    """What the parts of one process wait for; safe to use from any thread."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[str, float]] = {}
        self._starting = True

    def is_ready(self) -> None:
        """The process has started its work."""
        with self._lock:
            self._starting = False

    def waits_for(self, part: str, why: str) -> None:
        """The part is unavailable; the process waits for it and loses nothing."""
        with self._lock:
            if part not in self._waiting:
                self._waiting[part] = (why, time.monotonic())

    def has(self, part: str) -> None:
        """The part is available."""
        with self._lock:
            self._waiting.pop(part, None)

    def waiting(self) -> list[tuple[str, str, float]]:
        """Part, why, and for how many seconds."""
        now = time.monotonic()
        with self._lock:
            return [(part, why, now - since) for part, (why, since) in sorted(self._waiting.items())]

    def report(self) -> tuple[bool, dict[str, object]]:
        """Whether the process is healthy, and the report as JSON."""
        waiting = [{"part": part, "why": why, "seconds": round(seconds, 1)} for part, why, seconds in self.waiting()]
        is_healthy = not waiting and not self._starting
        status = "ok" if is_healthy else "waiting" if waiting else "starting"
        return is_healthy, {"process": self._process, "status": status, "waiting_for": waiting}


class WaitingCollector(Collector):
    """What a process waits for, so that an alert can be raised; a process that waits for nothing has no series."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """For how long, by part."""
        family = GaugeMetricFamily(
            "alliance_process_waiting_seconds", "For how long the process has waited for a part.", labels=["part"]
        )
        for part, _, seconds in self._health.waiting():
            family.add_metric([part], seconds)
        return [family]
