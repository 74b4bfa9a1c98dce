"""The store's tables, the same for SQLite and PostgreSQL.

Out: SQLAlchemy Core tables; `docs/analysts.md` explains them to analysts.
Never: a change without a migration in `consumers/store/migrations`.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy import BigInteger as _BigInteger


class Instant(TypeDecorator[datetime]):
    """An aware instant, in UTC in the database. SQLite stores it without the offset."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From UTC, aware again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()


def _row(name: str, *columns: Column[Any] | Index, comment: str) -> Table:
    return Table(name, metadata, *columns, comment=comment)


positions = _row(
    "positions",
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", _BigInteger, nullable=False),
    comment="how far the store has read; written in the same transaction as the rows",
)

events = _row(
    "events",
    Column("event_key", Text, primary_key=True, comment="digest of case_id, source and id"),
    Column("case_id", Text, nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("digest", Text, nullable=False, comment="digest of the content"),
    Column("body", LargeBinary, nullable=False, comment="the CloudEvent as it was received"),
    Column("kafka_partition", Integer, nullable=False),
    Column("kafka_offset", _BigInteger, nullable=False),
    Column("kafka_timestamp_ms", _BigInteger, nullable=False),
    comment="archive of every accepted event",
)

checkins = _row(
    "checkins",
    Column("case_id", Text, primary_key=True),
    Column("checkin_id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("rater", Text, nullable=False),
    Column("therapist_id", Text, nullable=False, index=True),
    Column("team", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("instrument", Text, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("total", Float, comment="share of the instrument's range, 0-1; null: not scorable"),
    Column("trust", Float),
    Column("empathy", Float),
    Column("goals", Float),
    Column("communication", Float),
    Column("answers", JSON, nullable=False),
    Column("digest", Text, nullable=False),
    comment="the latest revision of each check-in, with its scores",
)

voided_checkins = _row(
    "voided_checkins",
    Column("event_key", Text, primary_key=True),
    Column("case_id", Text, nullable=False, index=True),
    Column("checkin_id", Text, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    comment="check-ins that no longer count",
)

sessions = _row(
    "sessions",
    Column("event_key", Text, primary_key=True),
    Column("case_id", Text, nullable=False, index=True),
    Column("session_id", Text, nullable=False),
    Column("therapist_id", Text, nullable=False, index=True),
    Column("team", Text, nullable=False),
    Column("was_held", Boolean, nullable=False),
    Column("missed_by", Text, comment="client, therapist or unknown; null when the session was held"),
    Column("occurred_at", Instant, nullable=False),
    comment="sessions held and missed",
)

closures = _row(
    "closures",
    Column("event_key", Text, primary_key=True),
    Column("case_id", Text, nullable=False, index=True),
    Column("therapist_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    comment="ends of cases",
)

flag_actions = _row(
    "flag_actions",
    Column("event_key", Text, primary_key=True),
    Column("case_id", Text, nullable=False, index=True),
    Column("flag_id", Text, nullable=False, index=True),
    Column("action", Text, nullable=False, comment="acknowledged, discussed or dismissed"),
    Column("by", Text, nullable=False, comment="pseudonym of the person"),
    Column("occurred_at", Instant, nullable=False),
    comment="what people did about flags",
)


def _flag_columns() -> tuple[Column[Any], ...]:
    return (
        Column("case_id", Text, nullable=False, index=True),
        Column("therapist_id", Text, nullable=False, index=True),
        Column("team", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("severity", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("opened_at", Instant, nullable=False),
        Column("updated_at", Instant, nullable=False),
        Column("acknowledged_at", Instant),
        Column("discussed_at", Instant),
        Column("closed_at", Instant),
        Column("session_number", Integer, nullable=False),
        Column("kinds", JSON, nullable=False),
        Column("explanation", Text, nullable=False),
        Column("suggestion", Text, nullable=False),
        Column("evidence", JSON, nullable=False),
        Column("rule_name", Text, nullable=False),
        Column("rule_version", Text, nullable=False),
        Column("expected_false_flags_per_100", Float, nullable=False),
    )


flags = _row(
    "flags",
    Column("flag_id", Text, primary_key=True),
    Column("version", _BigInteger, nullable=False),
    *_flag_columns(),
    comment="the latest snapshot of each flag",
)

flag_changes = _row(
    "flag_changes",
    Column("flag_id", Text, primary_key=True),
    Column("version", _BigInteger, primary_key=True),
    *_flag_columns(),
    comment="every published snapshot of each flag, in the order of versions",
)

therapists = _row(
    "therapists",
    Column("therapist_id", Text, primary_key=True),
    Column("version", _BigInteger, nullable=False),
    Column("team", Text, nullable=False),
    Column("last_event_at", Instant),
    Column("active_cases", Integer, nullable=False),
    Column("scored_cases", Integer, nullable=False),
    Column("score_points", Float, nullable=False),
    Column("ingredient_points", JSON, nullable=False),
    Column(
        "ingredient_scored_cases",
        JSON,
        comment="cases behind each of ingredient_points; null: written before they were counted",
    ),
    Column("open_flag_cases", JSON, nullable=False),
    Column("oldest_unacknowledged_at", Instant),
    Column("days", JSON, nullable=False, comment="day -> [held, completed, repaired, unrepaired], 90 days"),
    comment="the latest summary of each therapist, exact (not for publication)",
)

rejected = _row(
    "rejected",
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", _BigInteger, primary_key=True),
    Column("reason", Text, nullable=False, index=True),
    Column("detail", Text, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", JSON, nullable=False, comment="[name, value in base64] pairs, as received"),
    Column("received_at", Instant, nullable=False),
    Column("key_digest", Text, index=True, comment="so that an erasure of the case of that key reaches the row"),
    Column("subject_digest", Text, index=True, comment="the same for the subject in the value"),
    Column("sent_again_at", Instant),
    comment="refused records with their original bytes",
)

erased_cases = _row(
    "erased_cases",
    Column("case_digest", Text, primary_key=True),
    Column("erased_at", Instant, nullable=False),
    comment="marks of erased cases; nothing else of them is kept",
)

#: Every table with rows of a case; an erasure deletes them here. It also finds rows of `rejected`, by their digests.
CASE_TABLES = (
    events,
    checkins,
    voided_checkins,
    sessions,
    closures,
    flag_actions,
    flags,
    flag_changes,
)
#: The tables whose rows follow from the archive alone.
DERIVED_TABLES = (checkins, voided_checkins, sessions, closures, flag_actions)
