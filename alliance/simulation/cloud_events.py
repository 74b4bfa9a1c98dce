"""CloudEvents of the simulated practice.

In: who, when, what. Out: dicts in CloudEvents 1.0 structured mode, with deterministic ids.
Never: anything about a person in an id.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from schemas.instruments.definition import INGREDIENTS

SOURCE = "urn:alliance:simulation"
_POINTS = tuple(tenths / 10 for tenths in range(101))

Event = dict[str, Any]


def event(kind: str, identity: str, case_id: str, at: int, data: dict[str, Any]) -> Event:
    """`kind` without the prefix and the version, `at` in seconds since 1970."""
    return {
        "specversion": "1.0",
        "id": identity,
        "source": SOURCE,
        "type": f"alliance.{kind}.v1",
        "subject": case_id,
        "time": time_text(at),
        "datacontenttype": "application/json",
        "data": data,
    }


def points(tenths: list[int]) -> dict[str, float]:
    return {item: _POINTS[value] for item, value in zip(INGREDIENTS, tenths, strict=True)}


def time_text(at: int) -> str:
    """RFC 3339 in UTC, to the second."""
    day, second = divmod(at, 86400)
    minute, second = divmod(second, 60)
    return f"{_day_text(day)}T{minute // 60:02d}:{minute % 60:02d}:{second:02d}Z"


@lru_cache(maxsize=4096)
def _day_text(day: int) -> str:
    return datetime.fromtimestamp(day * 86400, UTC).date().isoformat()
