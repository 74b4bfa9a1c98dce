"""Waiting until a condition holds.

In: a condition. Out: its first true answer, or a failed assertion that names what was waited for.
Never: a fixed sleep; a wait without a deadline.
"""

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

Answer = TypeVar("Answer")
POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], Answer], timeout: float, what: str | Callable[[], str]) -> Answer:
    """Ask until the condition holds and return its answer; after `timeout` seconds an assertion fails and names `what`.

    A callable `what` is called when the time is over, for words that are not known before.
    """
    deadline = monotonic() + timeout
    while not (answer := condition()):
        if monotonic() > deadline:
            awaited = what() if callable(what) else what
            raise AssertionError(f"not within {timeout:g} s: {awaited} (last answer: {answer!r})")
        Event().wait(POLL_SECONDS)
    return answer


def pace(seconds: float) -> None:
    """Wait between two steps of a test; the result of the test must not depend on how long."""
    Event().wait(seconds)
