"""the first tables

Revision: 0001; before it:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "checkins",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("checkin_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("rater", sa.Text(), nullable=False),
        sa.Column("therapist_id", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "total", sa.Float(), nullable=True, comment="share of the instrument's range, 0-1; null: not scorable"
        ),
        sa.Column("trust", sa.Float(), nullable=True),
        sa.Column("empathy", sa.Float(), nullable=True),
        sa.Column("goals", sa.Float(), nullable=True),
        sa.Column("communication", sa.Float(), nullable=True),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "checkin_id"),
        comment="the latest revision of each check-in, with its scores",
    )
    op.create_index(op.f("ix_checkins_therapist_id"), "checkins", ["therapist_id"], unique=False)
    op.create_table(
        "closures",
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("therapist_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_key"),
        comment="ends of cases",
    )
    op.create_index(op.f("ix_closures_case_id"), "closures", ["case_id"], unique=False)
    op.create_table(
        "erased_cases",
        sa.Column("case_digest", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("case_digest"),
        comment="marks of erased cases; nothing else of them is kept",
    )
    op.create_table(
        "events",
        sa.Column("event_key", sa.Text(), nullable=False, comment="digest of case_id, source and id"),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False, comment="digest of the content"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the CloudEvent as it was received"),
        sa.Column("kafka_partition", sa.Integer(), nullable=False),
        sa.Column("kafka_offset", sa.BigInteger(), nullable=False),
        sa.Column("kafka_timestamp_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_key"),
        comment="archive of every accepted event",
    )
    op.create_index(op.f("ix_events_case_id"), "events", ["case_id"], unique=False)
    op.create_table(
        "flag_actions",
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("flag_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False, comment="acknowledged, discussed or dismissed"),
        sa.Column("by", sa.Text(), nullable=False, comment="pseudonym of the person"),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_key"),
        comment="what people did about flags",
    )
    op.create_index(op.f("ix_flag_actions_case_id"), "flag_actions", ["case_id"], unique=False)
    op.create_index(op.f("ix_flag_actions_flag_id"), "flag_actions", ["flag_id"], unique=False)
    op.create_table(
        "flag_changes",
        sa.Column("flag_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("therapist_id", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discussed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_number", sa.Integer(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("suggestion", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("rule_name", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Text(), nullable=False),
        sa.Column("expected_false_flags_per_100", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("flag_id", "version"),
        comment="every published snapshot of each flag, in the order of versions",
    )
    op.create_index(op.f("ix_flag_changes_case_id"), "flag_changes", ["case_id"], unique=False)
    op.create_index(op.f("ix_flag_changes_therapist_id"), "flag_changes", ["therapist_id"], unique=False)
    op.create_table(
        "flags",
        sa.Column("flag_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("therapist_id", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discussed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_number", sa.Integer(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("suggestion", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("rule_name", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Text(), nullable=False),
        sa.Column("expected_false_flags_per_100", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("flag_id"),
        comment="the latest snapshot of each flag",
    )
    op.create_index(op.f("ix_flags_case_id"), "flags", ["case_id"], unique=False)
    op.create_index(op.f("ix_flags_therapist_id"), "flags", ["therapist_id"], unique=False)
    op.create_table(
        "positions",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
        comment="how far the store has read; written in the same transaction as the rows",
    )
    op.create_table(
        "rejected",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=False, comment="[name, value in base64] pairs, as received"),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "key_digest", sa.Text(), nullable=True, comment="so that an erasure of the case of that key reaches the row"
        ),
        sa.Column("subject_digest", sa.Text(), nullable=True, comment="the same for the subject in the value"),
        sa.Column("sent_again_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("topic", "partition", "offset"),
        comment="refused records with their original bytes",
    )
    op.create_index(op.f("ix_rejected_key_digest"), "rejected", ["key_digest"], unique=False)
    op.create_index(op.f("ix_rejected_reason"), "rejected", ["reason"], unique=False)
    op.create_index(op.f("ix_rejected_subject_digest"), "rejected", ["subject_digest"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("therapist_id", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("was_held", sa.Boolean(), nullable=False),
        sa.Column(
            "missed_by",
            sa.Text(),
            nullable=True,
            comment="client, therapist or unknown; null when the session was held",
        ),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_key"),
        comment="sessions held and missed",
    )
    op.create_index(op.f("ix_sessions_case_id"), "sessions", ["case_id"], unique=False)
    op.create_index(op.f("ix_sessions_therapist_id"), "sessions", ["therapist_id"], unique=False)
    op.create_table(
        "therapists",
        sa.Column("therapist_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("active_cases", sa.Integer(), nullable=False),
        sa.Column("scored_cases", sa.Integer(), nullable=False),
        sa.Column("score_points", sa.Float(), nullable=False),
        sa.Column("ingredient_points", sa.JSON(), nullable=False),
        sa.Column("open_flag_cases", sa.JSON(), nullable=False),
        sa.Column("oldest_unacknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("days", sa.JSON(), nullable=False, comment="day -> [held, completed, repaired, unrepaired], 90 days"),
        sa.PrimaryKeyConstraint("therapist_id"),
        comment="the latest summary of each therapist, exact (not for publication)",
    )
    op.create_table(
        "withdrawals",
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("checkin_id", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_key"),
        comment="check-ins that count no more",
    )
    op.create_index(op.f("ix_withdrawals_case_id"), "withdrawals", ["case_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_withdrawals_case_id"), table_name="withdrawals")
    op.drop_table("withdrawals")
    op.drop_table("therapists")
    op.drop_index(op.f("ix_sessions_therapist_id"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_case_id"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_rejected_subject_digest"), table_name="rejected")
    op.drop_index(op.f("ix_rejected_reason"), table_name="rejected")
    op.drop_index(op.f("ix_rejected_key_digest"), table_name="rejected")
    op.drop_table("rejected")
    op.drop_table("positions")
    op.drop_index(op.f("ix_flags_therapist_id"), table_name="flags")
    op.drop_index(op.f("ix_flags_case_id"), table_name="flags")
    op.drop_table("flags")
    op.drop_index(op.f("ix_flag_changes_therapist_id"), table_name="flag_changes")
    op.drop_index(op.f("ix_flag_changes_case_id"), table_name="flag_changes")
    op.drop_table("flag_changes")
    op.drop_index(op.f("ix_flag_actions_flag_id"), table_name="flag_actions")
    op.drop_index(op.f("ix_flag_actions_case_id"), table_name="flag_actions")
    op.drop_table("flag_actions")
    op.drop_index(op.f("ix_events_case_id"), table_name="events")
    op.drop_table("events")
    op.drop_table("erased_cases")
    op.drop_index(op.f("ix_closures_case_id"), table_name="closures")
    op.drop_table("closures")
    op.drop_index(op.f("ix_checkins_therapist_id"), table_name="checkins")
    op.drop_table("checkins")
