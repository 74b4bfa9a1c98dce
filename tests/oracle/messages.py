"""Records of the log for the oracle's own tests, valid unless a test says otherwise.

In: what a test cares about. Out: (key, value, Kafka timestamp). Days are counted from 1 January 2026, 10:00 UTC.
Never: anything that depends on a clock or on chance.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from tests.oracle import shapes
from tests.oracle.acceptance import Record
from tests.oracle.reference import expected_store

START = datetime(2026, 1, 1, 10, tzinfo=UTC)
SESSION = {"session_id": "s1", "therapist_id": "t1", "team": "north"}


def on(day: float) -> pd.Timestamp:
    """The instant that many days after the start."""
    return pd.Timestamp(START + timedelta(days=day))


def envelope(kind: str, day: float, data: dict[str, Any] | None, /, **attributes: Any) -> dict[str, Any]:
    """A CloudEvent; its id says what it is, unless the test names one."""
    tree = {"specversion": "1.0", "type": kind, "source": "clinic", "subject": "c1", "data": data}
    tree["time"] = on(day).isoformat()
    tree["id"] = f"{kind}@{day}"
    return tree | attributes


def record(kind: str, day: float, data: dict[str, Any] | None, /, **attributes: Any) -> Record:
    """The event as a record with the right key, seen by the broker a second later."""
    tree = envelope(kind, day, data, **attributes)
    timestamp_ms = int(pd.Timestamp(tree["time"]).timestamp() * 1000) + 1000
    return str(tree["subject"]).encode(), json.dumps(tree).encode(), timestamp_ms


def answers(score: float, turn: int = 0) -> dict[str, float]:
    """Four answers to checkin-4/1 with this total; a multiple of 0.0025. Not all the same, unless near an end.

    Those of two turns in a row differ, so that they are no repeated answers.
    """
    tenths = round(score * 400)
    apart = (2, -2, 1, -1) if 0.02 <= score <= 0.97 else (0, 0, 0, 0)
    names = ("trust", "empathy", "goals", "communication")
    return {
        name: (tenths // 4 + (place < tenths % 4) + apart[(place + turn) % 4]) / 10 for place, name in enumerate(names)
    }


def checkin(day: float, score: float, session_id: str | None = None, **changes: Any) -> Record:
    """A client's check-in, by default the only one of its session."""
    data = {**SESSION, "session_id": session_id or f"s@{day}", "rater": "client", "instrument": "checkin-4/1"}
    attributes = {name: changes.pop(name) for name in ("subject", "source", "id", "time") if name in changes}
    return record(shapes.CHECKIN, day, data | {"answers": answers(score, int(day))} | changes, **attributes)


def scores(*values: float, since: float = 0, **changes: Any) -> list[Record]:
    """A check-in a day, each in a session of its own."""
    return [checkin(since + day, value, **changes) for day, value in enumerate(values)]


def held(day: float, session_id: str = "s1", **attributes: Any) -> Record:
    """A session that took place."""
    return record(shapes.HELD, day, {**SESSION, "session_id": session_id}, **attributes)


def missed(day: float, therapist_id: str = "t1", team: str = "north", by: str = "client", **attributes: Any) -> Record:
    """A session that did not take place."""
    data = {"session_id": f"m@{day}", "therapist_id": therapist_id, "team": team, "by": by}
    return record(shapes.MISSED, day, data, **attributes)


def voided(day: float, checkin_id: str, **attributes: Any) -> Record:
    """A check-in taken back."""
    return record(shapes.VOIDED, day, {"checkin_id": checkin_id}, **attributes)


def closed(day: float, therapist_id: str = "t1", **attributes: Any) -> Record:
    """The end of the case."""
    return record(shapes.CLOSED, day, {"therapist_id": therapist_id, "reason": "planned"}, **attributes)


def erased(day: float, **attributes: Any) -> Record:
    """The order to forget the case."""
    return record(shapes.ERASED, day, None, **attributes)


def action(day: float, name: str, flag_id: str, **attributes: Any) -> Record:
    """What a supervisor did about a flag."""
    return record(f"alliance.flag.{name}.v1", day, {"flag_id": flag_id, "by": "p1"}, **attributes)


def rows(records: list[Record], table: str) -> list[dict[str, Any]]:
    """The rows of one table of the store that the records lead to; None for what is not there."""
    frame = expected_store(records)[table]
    return [
        {column: None if cell is pd.NaT else cell for column, cell in zip(frame.columns, row, strict=True)}
        for row in frame.itertuples(index=False)
    ]


def the_row(records: list[Record], table: str) -> dict[str, Any]:
    """The only row of the table."""
    (row,) = rows(records, table)
    return row


def summary(records: list[Record], therapist_id: str = "t1") -> dict[str, Any]:
    """The row of one therapist."""
    (row,) = [row for row in rows(records, "therapists") if row["therapist_id"] == therapist_id]
    return row
