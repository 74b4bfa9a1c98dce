"""How long each step took: a line when it begins, one when it is done, a table at the end.

In: the name of a step. Out: lines on the terminal, `TAKEN`.
Never: a step that is timed twice under one name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from deploy.local.console import say

TAKEN: dict[str, float] = {}


@contextmanager
def step(name: str) -> Iterator[None]:
    """Says what begins; when it is over, well or not, how long it took."""
    say(f"[images] {name} ...")
    began = monotonic()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        TAKEN[name] = monotonic() - began
        say(f"[images] {name}: {outcome} after {TAKEN[name]:.1f} s")


def table() -> list[str]:
    """One line a step, in the order in which they ended, and their sum."""
    lines = [f"{seconds:8.1f} s  {name}" for name, seconds in TAKEN.items()]
    return [*lines, f"{sum(TAKEN.values()):8.1f} s  together"]
