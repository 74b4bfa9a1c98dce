"""Valid events, with overrides.

In: keyword arguments. Out: CloudEvents as dicts, and records as the log holds them.
Never: a random id; a builder called twice with the same arguments gives the same event.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

Json = dict[str, Any]

START = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
#: A Kafka timestamp later than every event that the builders make by default.
LATE_MS = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)
ITEMS = ("trust", "empathy", "goals", "communication")


def at(session: int, minutes: int = 0) -> str:
    """The time of the weekly session with this number, plus minutes, RFC 3339."""
    return (START + timedelta(weeks=session - 1, minutes=minutes)).isoformat().replace("+00:00", "Z")


def an_event(kind: str, data: Json | None = None, **overrides: Any) -> Json:
    """A CloudEvent of type `alliance.<kind>.v1`."""
    event: Json = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "urn:alliance:tests",
        "type": f"alliance.{kind}.v1",
        "subject": "c-1",
        "time": at(1),
        "datacontenttype": "application/json",
    }
    if data is not None:
        event["data"] = data
    event.update(overrides)
    return event


def a_checkin(session: int = 1, score: float = 9.0, rater: str = "client", **overrides: Any) -> Json:
    """A check-in after a session; `score` is given to each item unless `answers` says otherwise."""
    data: Json = {
        "session_id": overrides.pop("session_id", f"s-{session}"),
        "therapist_id": overrides.pop("therapist", "t-1"),
        "team": overrides.pop("team", "north"),
        "rater": rater,
        "instrument": overrides.pop("instrument", "checkin-4/1"),
        "answers": overrides.pop("answers", dict.fromkeys(ITEMS, score)),
    }
    for optional in ("checkin_id", "revision"):
        if optional in overrides:
            data[optional] = overrides.pop(optional)
    defaults = {"id": f"checkin-{rater}-{session}", "time": at(session, 65)}
    return an_event("checkin.submitted", data, **{**defaults, **overrides})


def a_held(session: int = 1, **overrides: Any) -> Json:
    """A session that took place."""
    data = {
        "session_id": overrides.pop("session_id", f"s-{session}"),
        "therapist_id": overrides.pop("therapist", "t-1"),
        "team": overrides.pop("team", "north"),
    }
    return an_event("session.held", data, **{"id": f"held-{session}", "time": at(session, 50), **overrides})


def a_missed(session: int = 1, by: str = "client", **overrides: Any) -> Json:
    """A session that did not take place."""
    data = {
        "session_id": overrides.pop("session_id", f"s-{session}"),
        "therapist_id": overrides.pop("therapist", "t-1"),
        "team": overrides.pop("team", "north"),
        "by": by,
    }
    return an_event("session.missed", data, **{"id": f"missed-{session}", "time": at(session), **overrides})


def a_void(checkin_id: str, session: int = 1, **overrides: Any) -> Json:
    """A check-in taken back."""
    data = {"checkin_id": checkin_id}
    return an_event("checkin.voided", data, **{"id": f"voided-{checkin_id}", "time": at(session, 90), **overrides})


def a_closure(session: int = 1, reason: str = "planned", **overrides: Any) -> Json:
    """The end of a case."""
    data = {"therapist_id": overrides.pop("therapist", "t-1"), "reason": reason}
    return an_event("case.closed", data, **{"id": f"closed-{session}", "time": at(session, 120), **overrides})


def an_action(action: str, flag_id: str, session: int = 1, **overrides: Any) -> Json:
    """A person acknowledged, discussed or dismissed a flag."""
    data = {"flag_id": flag_id, "by": "p-1"}
    return an_event(f"flag.{action}", data, **{"id": f"{action}-{session}", "time": at(session, 180), **overrides})


def an_erasure(session: int = 1, **overrides: Any) -> Json:
    """The case is to be erased."""
    return an_event("case.erased", None, **{"id": "erased", "time": at(session, 240), **overrides})


def key_of(event: Json) -> bytes:
    """The record key of an event."""
    return str(event["subject"]).encode()


def value_of(event: Json) -> bytes:
    """The record value of an event."""
    return msgspec.json.encode(event)
