"""Turns records into rows of the store's tables. Pure.

In: accepted events, flag snapshots, therapist summaries, refused records. Out: dicts, one per row.
Never: touch a database.
"""

import base64
from collections.abc import Sequence
from datetime import UTC
from hashlib import blake2b
from typing import Any

import msgspec

from pipeline.core.acceptance import Accepted
from pipeline.core.instants import from_us
from pipeline.core.records import checkin_id_of
from schemas import events, refusals
from schemas.codec import canonical
from schemas.flags import Flag
from schemas.instruments.definition import INGREDIENTS
from schemas.summaries import TherapistSummary

Row = dict[str, Any]


def digest_text(*parts: bytes) -> str:
    """32 hexadecimal digits."""
    return blake2b(b"\0".join(parts), digest_size=16).hexdigest()


def event_key(event: events.Event) -> str:
    """The identity of an event within its case."""
    return digest_text(event.subject.encode(), event.source.encode(), event.id.encode())


def case_digest(case_id: str) -> str:
    """The mark of an erased case, which is all that the store keeps of its id."""
    return _case_digest(case_id.encode())


def _case_digest(case_id: bytes) -> str:
    return digest_text(b"erased", case_id)


def event_row(accepted: Accepted, body: bytes, partition: int, offset: int, timestamp_ms: int) -> Row:
    """The archive's row."""
    event = accepted.event
    return {
        "event_key": event_key(event),
        "case_id": event.subject,
        "source": event.source,
        "id": event.id,
        "type": events.type_of(event),
        "occurred_at": event.time.astimezone(UTC),
        "digest": digest_text(canonical(event)),
        "body": body,
        "kafka_partition": partition,
        "kafka_offset": offset,
        "kafka_timestamp_ms": timestamp_ms,
    }


def derived_row(accepted: Accepted, row: Row) -> tuple[str, Row]:
    """The name of the derived table in which this event has a row, and the row."""
    event = accepted.event
    base: Row = {"case_id": event.subject, "occurred_at": row["occurred_at"]}
    keyed: Row = {"event_key": row["event_key"], **base}
    match event:
        case events.CheckinSubmitted():
            return "checkins", _checkin(event, accepted, {**base, "digest": row["digest"]})
        case events.CheckinVoided(data=data):
            return "voided_checkins", {**keyed, "checkin_id": data.checkin_id}
        case events.SessionHeld(data=data):
            return "sessions", {**keyed, **msgspec.to_builtins(data), "was_held": True, "missed_by": None}
        case events.SessionMissed(data=data):
            session = {"session_id": data.session_id, "therapist_id": data.therapist_id, "team": data.team}
            return "sessions", {**keyed, **session, "was_held": False, "missed_by": data.by}
        case events.CaseClosed(data=data):
            return "closures", {**keyed, **msgspec.to_builtins(data)}
        case events.FlagAcknowledged() | events.FlagDiscussed() | events.FlagDismissed():
            action = events.type_of(event).split(".")[2]
            return "flag_actions", {**keyed, **msgspec.to_builtins(event.data), "action": action}
        case _:
            raise AssertionError(f"no row for {type(event).__name__}")


def _checkin(event: events.CheckinSubmitted, accepted: Accepted, base: Row) -> Row:
    data, scores = event.data, accepted.scores
    assert scores is not None
    return {
        **base,
        "checkin_id": checkin_id_of(event),
        "revision": data.revision,
        "rater": data.rater,
        "therapist_id": data.therapist_id,
        "team": data.team,
        "session_id": data.session_id,
        "instrument": data.instrument,
        "total": scores.total,
        **{name: scores.ingredients.get(name) for name in INGREDIENTS},
        "answers": data.answers,
    }


def flag_row(flag: Flag) -> Row:
    """The row of a snapshot, both for `flags` and for `flag_changes`."""
    return {
        "flag_id": flag.flag_id,
        "version": flag.version,
        "case_id": flag.case_id,
        "therapist_id": flag.therapist_id,
        "team": flag.team,
        "kind": flag.kind,
        "severity": flag.severity,
        "status": flag.status,
        "opened_at": flag.opened_at,
        "updated_at": flag.updated_at,
        "acknowledged_at": flag.acknowledged_at,
        "discussed_at": flag.discussed_at,
        "closed_at": flag.closed_at,
        "session_number": flag.session_number,
        "kinds": list(flag.kinds),
        "explanation": flag.explanation,
        "suggestion": flag.suggestion,
        "evidence": flag.evidence,
        "rule_name": flag.rule.name,
        "rule_version": flag.rule.version,
        "expected_false_flags_per_100": flag.rule.expected_false_flags_per_100,
    }


def therapist_row(summary: TherapistSummary) -> Row:
    """The row of a therapist, without the published figures: they depend on the order in which events arrived."""
    return {
        "therapist_id": summary.therapist_id,
        "version": summary.version,
        "team": summary.team,
        "last_event_at": summary.last_event_at,
        "active_cases": summary.active_cases,
        "scored_cases": summary.scored_cases,
        "score_points": summary.score_points,
        "ingredient_points": summary.ingredient_points,
        "ingredient_scored_cases": _ingredient_scored_cases(summary),
        "open_flag_cases": summary.open_flag_cases,
        "oldest_unacknowledged_at": summary.oldest_unacknowledged_at,
        "days": msgspec.to_builtins(summary.days, str_keys=True),
    }


def _ingredient_scored_cases(summary: TherapistSummary) -> dict[str, int] | None:
    """None if the summary was written before ingredients were counted."""
    is_counted = summary.ingredient_scored_cases or not summary.ingredient_points
    return summary.ingredient_scored_cases if is_counted else None


def rejected_row(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Row:
    """The row of a refused record, from the rejected topic. The sender's own headers may hold anything."""
    added = {
        name: text.decode(errors="replace") for name, text in headers if name in refusals.HEADERS and text is not None
    }
    received = [[name, _text(value)] for name, value in headers if name not in refusals.HEADERS]
    subject = _subject(value)
    return {
        "topic": added[refusals.HEADER_TOPIC],
        "partition": int(added[refusals.HEADER_PARTITION]),
        "offset": int(added[refusals.HEADER_OFFSET]),
        "reason": added[refusals.HEADER_REASON],
        "detail": added[refusals.HEADER_DETAIL],
        "key": key,
        "value": value,
        "headers": received,
        "received_at": from_us(int(added[refusals.HEADER_TIMESTAMP]) * 1000),
        "key_digest": None if key is None else _case_digest(key),
        "subject_digest": None if subject is None else _case_digest(subject.encode(errors="replace")),
        "sent_again_at": None,
    }


def _text(value: bytes | None) -> str | None:
    """A header's value for a JSON column. In Kafka a header may have no value."""
    return None if value is None else base64.b64encode(value).decode()


def _subject(value: bytes | None) -> str | None:
    """The case that a refused record names."""
    try:
        tree = msgspec.json.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    subject = tree.get("subject") if isinstance(tree, dict) else None
    return subject if isinstance(subject, str) else None
