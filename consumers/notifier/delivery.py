"""Delivers alerts to one Alertmanager.

In: the open flags and their changes. Out: alerts that start at once, are sent again while the flag is open, and end at
once; alerts that a past notifier left behind, ended.
Never: forget a change before Alertmanager has accepted it; delay another Alertmanager (each delivery has a thread).

All open alerts are sent again every `RESEND_SECONDS`, and as soon as Alertmanager is back after an outage. Their labels
are the same each time, so an alert that Alertmanager has lost comes back as the same alert.
"""

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from prometheus_client import Gauge, Histogram

from consumers.notifier.alertmanager import Alertmanager, AlertmanagerUnavailable
from consumers.notifier.alerts import Alert, AlertChange, OpenFlags, firing, resolved
from consumers.retry import RETRY_SECONDS
from pipeline.runtime.health import Health

log = logging.getLogger(__name__)

RESEND_SECONDS = 30.0
#: An alert whose flag is unknown here may be that of a flag that another notifier has already read. It is left over
#: only if no notifier has sent it for three rounds.
LEFT_OVER_AFTER = timedelta(seconds=3 * RESEND_SECONDS)


class AlertDelivery:
    """Keeps one Alertmanager up to date, with the changes that it has not accepted yet."""

    def __init__(
        self,
        alertmanager: Alertmanager,
        open_flags: OpenFlags,
        lock: threading.RLock,
        health: Health,
        *,
        part: str,
        worklist_url: str,
        undelivered_since: "Gauge",
        latency: "Histogram",
    ) -> None:
        self._alertmanager = alertmanager
        self._open_flags = open_flags
        self._health = health
        self._part = part
        self._worklist_url = worklist_url
        self._undelivered_since = undelivered_since
        self._latency = latency
        #: Alerts to start, each with the Kafka timestamp (seconds) of the record that asked for it.
        self._to_start: dict[Alert, float] = {}
        self._to_end: set[Alert] = set()
        self._condition = threading.Condition(lock)
        self._is_stopped = False
        self._is_unavailable = False
        self._resend_at = 0.0

    def enqueue(self, change: AlertChange, timestamp: float) -> None:
        """Deliver a change soon. The caller holds the lock of the open flags."""
        if change.ended is not None:
            self._to_start.pop(change.ended, None)
            self._to_end.add(change.ended)
        if change.started is not None:
            self._to_end.discard(change.started)
            self._to_start[change.started] = timestamp
        self._condition.notify_all()

    def stop(self) -> None:
        """End after the current round. The next notifier reads from Kafka what was not delivered."""
        with self._condition:
            self._is_stopped = True
            self._condition.notify_all()

    def run(self) -> None:
        """Deliver until `stop`."""
        while self._wait():
            try:
                self._deliver()
            except AlertmanagerUnavailable as error:
                self._report_unavailable(str(error))
            else:
                self._report_available()

    def _wait(self) -> bool:
        """Wait until there is something to deliver; False if the process is stopped."""
        with self._condition:
            if self._is_unavailable:
                self._condition.wait_for(lambda: self._is_stopped, RETRY_SECONDS)
            else:
                until_resend = max(0.0, self._resend_at - time.monotonic())
                self._condition.wait_for(lambda: self._is_stopped or self._to_start or self._to_end, until_resend)
            return not self._is_stopped

    def _deliver(self) -> None:
        is_due = time.monotonic() >= self._resend_at
        left_over = self._left_over() if is_due else []
        with self._condition:
            started, over = dict(self._to_start), list(self._to_end)
            alive = list(self._open_flags.alerts.values()) if is_due else list(started)
        now = datetime.now(UTC)
        bodies = [firing(alert, now, self._worklist_url) for alert in alive]
        bodies += [resolved(alert, now, self._worklist_url) for alert in {*over, *left_over} - set(alive)]
        self._alertmanager.post(bodies)
        self._mark_delivered(started, over)
        if is_due:
            self._resend_at = time.monotonic() + RESEND_SECONDS

    def _mark_delivered(self, started: dict[Alert, float], over: Sequence[Alert]) -> None:
        """Remove what was delivered, unless it has changed meanwhile."""
        now = time.time()
        with self._condition:
            for alert, timestamp in started.items():
                if self._to_start.get(alert) == timestamp:
                    del self._to_start[alert]
                self._latency.observe(max(0.0, now - timestamp))
            self._to_end.difference_update(over)

    def _left_over(self) -> list[Alert]:
        """Alerts that should have ended: the flag was closed while no notifier ran, or the labels are of the past."""
        active = self._alertmanager.active()
        now = datetime.now(UTC)
        with self._condition:
            wanted = set(self._open_flags.alerts.values())
            return [
                found.alert
                for found in active
                if found.alert not in wanted
                and (self._open_flags.is_closed(found.alert) or now - found.updated_at > LEFT_OVER_AFTER)
            ]

    def _report_unavailable(self, why: str) -> None:
        if not self._is_unavailable:
            self._undelivered_since.set(time.time())
            log.warning("Alertmanager: %s; waiting, nothing is lost.", why)
        self._is_unavailable = True
        self._resend_at = 0.0
        self._health.waits_for(self._part, why)

    def _report_available(self) -> None:
        self._is_unavailable = False
        self._undelivered_since.set(0)
        self._health.has(self._part)
