"""Repeating what a sink could not do because its database does not answer.

In: an action that may raise `Unavailable`. Out: its result; the reason for the wait, in health and in the log.
Never: repeat an action for any other error.
"""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from consumers.sink import Unavailable
from pipeline.runtime.health import Health

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

#: How long every consumer waits before it tries again.
RETRY_SECONDS = 0.5


def retry_while_unavailable(
    act: Callable[[], Answer], part: str, health: Health, stop: threading.Event
) -> Answer | None:
    """Repeat the action until it succeeds; None if the process is stopped before."""
    while not stop.is_set():
        try:
            answer = act()
        except Unavailable as error:
            health.waits_for(error.part, error.why)
            log.warning("Waiting for the %s; nothing is lost.", error.part)
            stop.wait(RETRY_SECONDS)
        else:
            health.has(part)
            return answer
    return None
