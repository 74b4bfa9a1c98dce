"""Keeps one Alertmanager at what the board says.

In: a board and its changes. Out: alerts begun at once, re-sent while open, ended at once; leftovers of a time when no
notifier ran, ended.
Never: forget a change before the Alertmanager has taken it; hold up another Alertmanager (each courier has a thread).

Everything open is re-sent every `RESEND_SECONDS`, and at once when the Alertmanager was away: what it lost comes back
with the same labels and is therefore the same alert.
"""

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from prometheus_client import Gauge, Histogram

from consumers.loop import PAUSE_SECONDS
from consumers.notifier.alertmanager import Alertmanager, Away
from consumers.notifier.alerts import Alert, Board, Change, begun, ended
from pipeline.runtime.health import Health

log = logging.getLogger(__name__)

RESEND_SECONDS = 30.0
#: Of a flag that we do not know of, another notifier may know: only what nobody re-sends is a leftover.
LEFTOVER = timedelta(seconds=3 * RESEND_SECONDS)


class Courier:
    """One Alertmanager's debts: what it has not been told yet."""

    def __init__(
        self,
        alertmanager: Alertmanager,
        board: Board,
        lock: threading.RLock,
        health: Health,
        *,
        part: str,
        worklist_url: str,
        undelivered_since: "Gauge",
        latency: "Histogram",
    ) -> None:
        self._alertmanager = alertmanager
        self._board = board
        self._health = health
        self._part = part
        self._worklist_url = worklist_url
        self._undelivered_since = undelivered_since
        self._latency = latency
        #: With the time of the record that told of it, in seconds; None: from before our start.
        self._begun: dict[Alert, float] = {}
        self._ended: set[Alert] = set()
        self._condition = threading.Condition(lock)
        self._is_stopped = False
        self._is_away = False
        self._resend_at = 0.0

    def tell(self, change: Change, told_at: float) -> None:
        """A change of the board, under its lock."""
        if change.ended is not None:
            self._begun.pop(change.ended, None)
            self._ended.add(change.ended)
        if change.begun is not None:
            self._ended.discard(change.begun)
            self._begun[change.begun] = told_at
        self._condition.notify_all()

    def stop(self) -> None:
        """End after the round under way; what is owed is owed to the next notifier, which reads it from the log."""
        with self._condition:
            self._is_stopped = True
            self._condition.notify_all()

    def run(self) -> None:
        """Deliver until `stop`."""
        while self._wait():
            try:
                self._deliver()
            except Away as error:
                self._is_away_because(str(error))
            else:
                self._is_there()

    def _wait(self) -> bool:
        """Until there is something to do; False when told to stop."""
        with self._condition:
            if self._is_away:
                self._condition.wait_for(lambda: self._is_stopped, PAUSE_SECONDS)
            else:
                rest = max(0.0, self._resend_at - time.monotonic())
                self._condition.wait_for(lambda: self._is_stopped or self._begun or self._ended, rest)
            return not self._is_stopped

    def _deliver(self) -> None:
        is_due = time.monotonic() >= self._resend_at
        leftovers = self._leftovers() if is_due else []
        with self._condition:
            fresh, over = dict(self._begun), list(self._ended)
            alive = list(self._board.open.values()) if is_due else list(fresh)
        now = datetime.now(UTC)
        bodies = [begun(one, now, self._worklist_url) for one in alive]
        bodies += [ended(one, now, self._worklist_url) for one in {*over, *leftovers} - set(alive)]
        self._alertmanager.post(bodies)
        self._settle(fresh, over)
        if is_due:
            self._resend_at = time.monotonic() + RESEND_SECONDS

    def _settle(self, fresh: dict[Alert, float], over: Sequence[Alert]) -> None:
        """What has been delivered is owed no more, unless it changed meanwhile."""
        now = time.time()
        with self._condition:
            for alert, told_at in fresh.items():
                if self._begun.get(alert) == told_at:
                    del self._begun[alert]
                self._latency.observe(max(0.0, now - told_at))
            self._ended.difference_update(over)

    def _leftovers(self) -> list[Alert]:
        """What it still holds and should not: over while no notifier ran, or with labels of the past."""
        held = self._alertmanager.held()
        now = datetime.now(UTC)
        with self._condition:
            wanted = set(self._board.open.values())
            return [
                one.alert
                for one in held
                if one.alert not in wanted and (self._board.is_over(one.alert) or now - one.updated_at > LEFTOVER)
            ]

    def _is_away_because(self, why: str) -> None:
        if not self._is_away:
            self._undelivered_since.set(time.time())
            log.warning("Alertmanager: %s; waiting, nothing is lost.", why)
        self._is_away = True
        self._resend_at = 0.0
        self._health.waits_for(self._part, why)

    def _is_there(self) -> None:
        self._is_away = False
        self._undelivered_since.set(0)
        self._health.has(self._part)
