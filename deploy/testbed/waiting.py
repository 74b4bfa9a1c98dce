"""Waiting for something to become true.

In: a condition. Out: its first true answer, or a failed assertion that names what was waited for. Never: a
fixed sleep, a wait without an end.
"""

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

Answer = TypeVar("Answer")
POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], Answer], timeout: float, what: str | Callable[[], str]) -> Answer:
    """Asks until the condition holds, returns its answer; after timeout seconds the test fails, naming what.

    A callable `what` is asked when the time is over, for words that are not known before.
    """
    deadline = monotonic() + timeout
    while not (answer := condition()):
        if monotonic() > deadline:
            awaited = what() if callable(what) else what
            raise AssertionError(f"not within {timeout:g} s: {awaited} (last answer: {answer!r})")
        Event().wait(POLL_SECONDS)
    return answer


def pace(seconds: float) -> None:
    """The pace at which a test sends or breaks things; nothing may rest on its length."""
    Event().wait(seconds)
