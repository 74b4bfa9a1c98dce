"""A simulated supervisor: acknowledges and discusses flags after a while.

In: the store's flags, and the simulated time. Out: events for the log, each of them once.
Never: a clock; chance (how long it takes, and which flags are overlooked, follows from the flag's own id).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from schemas.codec import encode
from schemas.events import Event, FlagAcknowledged, FlagActionData, FlagDiscussed
from schemas.flags import Severity

SOURCE = "urn:alliance:demo:supervisor"
SUPERVISOR = "supervisor-1"
#: Acknowledged between the first and the second time after the opening; the more severe the flag, the sooner.
ACKNOWLEDGED_AFTER: dict[Severity, tuple[timedelta, timedelta]] = {
    "urgent": (timedelta(hours=1), timedelta(hours=20)),
    "warning": (timedelta(hours=4), timedelta(hours=60)),
    "watch": (timedelta(hours=12), timedelta(hours=96)),
}
DISCUSSED_AFTER = timedelta(hours=12), timedelta(days=6)
OVERLOOKED_SHARE = 0.12
DISCUSSED_SHARE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedFlag:
    """What the supervisor needs to know of a flag."""

    flag_id: str
    case_id: str
    severity: Severity
    opened_at: datetime
    closed_at: datetime | None


class Supervisor:
    """Remembers which events it has given out."""

    def __init__(self) -> None:
        self._done: set[str] = set()

    def act(self, flags: Iterable[RaisedFlag], now: datetime) -> list[tuple[bytes, bytes]]:
        """Key and value of each event that is due by `now` and was not given out before."""
        events = [event for flag in flags for event in actions(flag) if event.time <= now]
        new = [event for event in events if event.id not in self._done]
        self._done.update(event.id for event in new)
        return [(event.subject.encode(), encode(event)) for event in new]


def actions(flag: RaisedFlag) -> list[Event]:
    """Everything that the supervisor does about the flag before it closes."""
    if _chance(flag, "overlooked") < OVERLOOKED_SHARE:
        return []
    acknowledged_at = flag.opened_at + _between(ACKNOWLEDGED_AFTER[flag.severity], _chance(flag, "acknowledged"))
    discussed_at = acknowledged_at + _between(DISCUSSED_AFTER, _chance(flag, "discussed"))
    done = [_action(FlagAcknowledged, flag, "acknowledged", acknowledged_at)]
    if _chance(flag, "spoken of") < DISCUSSED_SHARE:
        done.append(_action(FlagDiscussed, flag, "discussed", discussed_at))
    return [event for event in done if flag.closed_at is None or event.time < flag.closed_at]


def _action(kind: type[FlagAcknowledged | FlagDiscussed], flag: RaisedFlag, name: str, at: datetime) -> Event:
    return kind(
        specversion="1.0",
        id=f"{flag.flag_id}-{name}",
        source=SOURCE,
        subject=flag.case_id,
        time=at.replace(microsecond=0),
        data=FlagActionData(flag_id=flag.flag_id, by=SUPERVISOR),
    )


def _between(bounds: tuple[timedelta, timedelta], share: float) -> timedelta:
    return bounds[0] + (bounds[1] - bounds[0]) * share


def _chance(flag: RaisedFlag, purpose: str) -> float:
    """A number from 0 to 1 that belongs to the flag and the purpose."""
    digest = blake2b(f"{flag.flag_id}\0{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
