"""Valid flag snapshots with overrides, and the records that carry them.

In: keyword arguments. Out: `Flag`s; records for the flags topic.
Never: a random id.
"""

from datetime import UTC, datetime
from typing import Any

from deploy.testbed.kafka import Record
from schemas.codec import encode
from schemas.flags import Flag, Rule

OPENED_AT = datetime(2026, 2, 2, 11, 5, tzinfo=UTC)


def a_flag(number: int = 1, **overrides: Any) -> Flag:
    """An urgent open flag of a case of its own; its explanation and evidence hold scores, as real ones do."""
    plain: dict[str, Any] = {
        "flag_id": f"f-{number}",
        "case_id": f"case-{number}",
        "therapist_id": "t-1",
        "team": "north",
        "kind": "drop",
        "severity": "urgent",
        "status": "open",
        "opened_at": OPENED_AT,
        "updated_at": OPENED_AT,
        "session_number": 5,
        "explanation": "The last check-in was 0.31 where 0.92 was to be expected.",
        "suggestion": "Ask what was different.",
        "evidence": {"score": 0.31, "expected": 0.92},
        "rule": Rule(name="drop", version="1", expected_false_flags_per_100=0.4),
        "version": 1,
    }
    return Flag(**{**plain, **overrides})


def flag_record(flag: Flag) -> Record:
    """The record of a snapshot."""
    return Record(flag.flag_id.encode(), encode(flag))


def tombstone(number: int) -> Record:
    """The record that deletes a flag, after an erasure."""
    return Record(f"f-{number}".encode(), None)
