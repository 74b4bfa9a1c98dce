"""Whether a broker answers, asked every two seconds from a thread of its own.

In: the address of the brokers. Out: the answer, in health and for a process that waits for it.
Never: a consumer; kafka-python does not report that it waits for a broker, which is why this file exists.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any

from consumers.retry import RETRY_SECONDS
from pipeline.runtime.broker_probe import probe_broker
from pipeline.runtime.health import Health

log = logging.getLogger(__name__)

PROBE_SECONDS = 2.0
#: How soon a waiting process notices that it should stop.
STOP_CHECK_SECONDS = 0.1


class BrokerWatch:
    """Keeps health up to date about the broker while it is entered."""

    def __init__(self, connection: Mapping[str, Any], health: Health) -> None:
        self._bootstrap = str(connection["bootstrap_servers"])
        self._health = health
        self._is_over = False
        self._probe_now = threading.Event()
        self._answered = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker-watch", daemon=True)

    def __enter__(self) -> "BrokerWatch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over = True
        self._probe_now.set()
        # The thread may be resolving a name or waiting for an answer; it is a daemon and holds nothing.
        self._thread.join(RETRY_SECONDS)

    def wait_for_answer(self, stop: threading.Event) -> bool:
        """Wait until a broker answers; False if the process is stopped before."""
        self._answered.clear()
        self._probe_now.set()
        while not stop.is_set():
            if self._answered.wait(STOP_CHECK_SECONDS):
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
            self._probe_now.wait(PROBE_SECONDS)
            self._probe_now.clear()
