"""The store that follows from a log.

In: records (key, value, Kafka timestamp in milliseconds) in the order of the log. Out: the store's tables as far as
docs/rules.md determines them, one frame each; instants are aware, in UTC.
Never: an incremental step; everything is worked out from the whole set.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tests.oracle import shapes
from tests.oracle.acceptance import Event, Log, Record, accept, cases_named
from tests.oracle.episodes import Flag
from tests.oracle.history import counting, framed, latest_revisions, therapists_named, versions, winners
from tests.oracle.instruments import INGREDIENTS, Instrument, load
from tests.oracle.therapists import therapists
from tests.oracle.timeline import timelines

Row = dict[str, Any]

#: The columns of each table that follow from the rules; `explanation` and `suggestion` of a flag are free wording.
COLUMNS: dict[str, tuple[str, ...]] = {
    "events": ("case_id", "source", "id", "type", "occurred_at"),
    "checkins": (
        "case_id", "checkin_id", "revision", "rater", "therapist_id", "team", "session_id", "instrument",
        "occurred_at", "total", *INGREDIENTS, "answers", "digest",
    ),
    "voided_checkins": ("event_key", "case_id", "checkin_id", "occurred_at"),
    "sessions": (
        "event_key", "case_id", "session_id", "therapist_id", "team", "was_held", "missed_by", "occurred_at",
    ),
    "closures": ("event_key", "case_id", "therapist_id", "reason", "occurred_at"),
    "flag_actions": ("event_key", "case_id", "flag_id", "action", "by", "occurred_at"),
    "flags": (
        "flag_id", "case_id", "therapist_id", "team", "kind", "severity", "status", "opened_at", "updated_at",
        "acknowledged_at", "discussed_at", "closed_at", "session_number", "kinds", "evidence", "rule_name",
        "rule_version", "expected_false_flags_per_100",
    ),
    "therapists": (
        "therapist_id", "version", "team", "last_event_at", "active_cases", "scored_cases", "score_points",
        "ingredient_points", "ingredient_scored_cases", "open_flag_cases", "oldest_unacknowledged_at", "days",
    ),
    "rejected": ("received_at", "reason", "key", "value"),
    "erased_cases": ("count",),
}  # fmt: skip


def expected_store(
    records: Iterable[Record], instruments: Mapping[str, Instrument] | None = None
) -> dict[str, pd.DataFrame]:
    """Every table that follows from the log; without `instruments` those that are shipped."""
    known = load() if instruments is None else instruments
    log_of_records = list(records)
    log = accept(log_of_records, known)
    accepted = framed(log.accepted)
    kept = accepted[~accepted["case_id"].isin(log.erased)]
    every_course = timelines(counting(accepted), known)
    flags = [
        flag
        for timeline in every_course.values()
        if timeline.case_id not in log.erased
        for flag in timeline.episodes.flags
    ]
    archive = winners(kept, "store_digest").sort_values(["case_id", "at", "source", "id"])
    return {
        "events": _table("events", [_event_row(event) for event in archive["event"]]),
        "checkins": _table("checkins", [_checkin_row(e) for e in latest_revisions(archive, "store_digest")["event"]]),
        **{name: _table(name, _rows_of(archive["event"], *types)) for name, types in _TABLES.items()},
        "flags": _table("flags", [_flag_row(flag) for flag in flags]),
        "therapists": _stamped(
            "therapists", therapists(every_course, versions(accepted), therapists_named(accepted), log.erased)
        ),
        "rejected": _table("rejected", _rejected_rows(log_of_records, log)),
        "erased_cases": _table("erased_cases", [{"count": len(log.erased)}]),
    }


_TABLES: dict[str, tuple[str, ...]] = {
    "voided_checkins": (shapes.VOIDED,),
    "sessions": (shapes.HELD, shapes.MISSED),
    "closures": (shapes.CLOSED,),
    "flag_actions": shapes.FLAG_ACTIONS,
}


def refusals(records: Iterable[Record], instruments: Mapping[str, Instrument] | None = None) -> list[str | None]:
    """The reason why each record is refused; None where it is accepted."""
    log_of_records = list(records)
    refused = accept(log_of_records, load() if instruments is None else instruments).refused
    return [refused.get(place) for place in range(len(log_of_records))]


def instants(microseconds: Iterable[int | None]) -> "pd.Series[Any]":
    """Aware instants, NaT for None."""
    stamps = np.array([np.datetime64("NaT") if us is None else us for us in microseconds], dtype="datetime64[us]")
    return pd.Series(stamps).dt.tz_localize("UTC")


def _table(name: str, rows: Sequence[Row]) -> pd.DataFrame:
    return _stamped(name, pd.DataFrame(rows, columns=[*COLUMNS[name]], dtype="object"))


def _stamped(name: str, table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        table = pd.DataFrame(columns=[*COLUMNS[name]], dtype="object")
    for column in COLUMNS[name]:
        if column.endswith("_at"):
            table[column] = instants(None if pd.isna(us) else int(us) for us in table[column])
    return table[[*COLUMNS[name]]]


def _rows_of(events: Iterable[Event], *types: str) -> list[Row]:
    return [_derived_row(event) for event in events if event.type in types]


def _event_row(event: Event) -> Row:
    return {
        "case_id": event.case_id,
        "source": event.source,
        "id": event.id,
        "type": event.type,
        "occurred_at": event.at,
    }


def _derived_row(event: Event) -> Row:
    """A row of any table that has one row per event; a table takes the columns that are its own."""
    was_held = event.type == shapes.HELD
    return {
        **event.data,
        "event_key": event.key,
        "case_id": event.case_id,
        "occurred_at": event.at,
        "was_held": was_held,
        "missed_by": None if was_held else event.data.get("by"),
        "action": event.type.split(".")[2],
    }


def _checkin_row(event: Event) -> Row:
    assert event.scores is not None
    return {
        **event.data,
        **{name: event.scores.ingredients.get(name) for name in INGREDIENTS},
        "case_id": event.case_id,
        "checkin_id": event.checkin_id,
        "revision": event.data.get("revision", 1),
        "occurred_at": event.at,
        "total": event.scores.total,
        "digest": event.store_digest,
    }


def _flag_row(flag: Flag) -> Row:
    opening, leading = flag.opening, flag.leading
    return {
        "flag_id": flag.flag_id,
        "case_id": flag.case_id,
        "therapist_id": opening.therapist_id,
        "team": opening.team,
        "kind": leading.kind,
        "severity": flag.severity,
        "status": flag.status,
        "opened_at": opening.at,
        "updated_at": flag.updated_at,
        "acknowledged_at": flag.acknowledged_at,
        "discussed_at": flag.discussed_at,
        "closed_at": flag.closed_at,
        "session_number": flag.session_number,
        "kinds": flag.kinds,
        "evidence": leading.evidence,
        **dict(zip(("rule_name", "rule_version", "expected_false_flags_per_100"), leading.rule, strict=True)),
    }


def _rejected_rows(records: Sequence[Record], log: Log) -> list[Row]:
    """A row per refused record; those about an erased case are empty but for the reason, for nothing of it is kept."""
    rows: list[Row] = []
    for place, reason in log.refused.items():
        key, value, timestamp_ms = records[place]
        about: Row = {"key": key, "value": value}
        if cases_named(key, value) & log.erased:
            about = dict.fromkeys(about)
        rows.append({"received_at": timestamp_ms * 1000, "reason": reason, **about})
    return rows
