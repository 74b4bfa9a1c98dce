"""The check-ins of one client over many sessions, and the flags that they raise.

In: levels on the form's own scale, 0 to 10. Out: CloudEvents; flags.
"""

from collections.abc import Sequence
from typing import Any

from alliance.evaluation.backtest import backtest
from deploy.testbed.builders import ITEMS, Json, a_checkin
from schemas.flags import Flag


def flags_of(events: Sequence[Json]) -> list[Flag]:
    """All flags of a history without refused events, in the order of their opening."""
    result = backtest(events)
    assert not result.histories.refused
    return result.flags


def uneven(session: int, level: float, **overrides: Any) -> Json:
    """A check-in with the same small differences between its answers each time, and with overrides."""
    steps = zip(ITEMS, (0.0, -0.3, 0.4, -0.1), strict=True)
    answers = {item: overrides.pop(item, round(max(level + more, 0.0), 1)) for item, more in steps}
    return a_checkin(session, answers=answers, **overrides)


def steady(first: int, last: int, level: float = 8.8) -> list[Json]:
    """A check-in after each of these sessions, with hardly any change."""
    return [uneven(session, level + 0.1 * (session % 2)) for session in range(first, last + 1)]
