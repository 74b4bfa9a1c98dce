"""voided check-ins, and new names of two kinds

Revision: 0003; before it: 0002

"Withdrawal" is the field's term for a kind of rupture, so the table of taken-back check-ins is now voided_checkins, and
its event alliance.checkin.voided.v1. The archive follows: `alliance replay` sends its bodies, and an event of the old
name is refused. The kinds silence and split are now nonresponse and discrepancy.
"""

import json

import sqlalchemy as sa
from alembic import op

from consumers.store.rows import digest_text
from schemas.codec import canonical, decode_event

revision = "0003"
down_revision = "0002"

TYPES = {"alliance.checkin.withdrawn.v1": "alliance.checkin.voided.v1"}
KINDS = {"silence": "nonresponse", "split": "discrepancy"}

events = sa.table(
    "events", sa.column("event_key"), sa.column("type"), sa.column("digest"), sa.column("body", sa.LargeBinary())
)


def upgrade() -> None:
    _rename_table("withdrawals", "voided_checkins", "check-ins that no longer count")
    _rename_event_type(TYPES)
    _rename_kinds(KINDS)
    if op.get_context().dialect.name == "postgresql":
        op.create_table_comment("flag_changes", "every published snapshot of each flag, in the order of versions")


def downgrade() -> None:
    # A body of the old type cannot be decoded here, so its digest stays that of the new name.
    _rename_kinds({new: old for old, new in KINDS.items()})
    _rename_event_type({new: old for old, new in TYPES.items()})
    _rename_table("voided_checkins", "withdrawals", "check-ins that count no more")


def _rename_table(old: str, new: str, comment: str) -> None:
    op.drop_index(op.f(f"ix_{old}_case_id"), table_name=old)
    op.rename_table(old, new)
    op.create_index(op.f(f"ix_{new}_case_id"), new, ["case_id"], unique=False)
    if op.get_context().dialect.name == "postgresql":
        # An index keeps the name that its table had; SQLite names a primary key after nothing.
        op.execute(f"ALTER INDEX {old}_pkey RENAME TO {new}_pkey")
        op.create_table_comment(new, comment)


def _rename_event_type(names: dict[str, str]) -> None:
    connection = op.get_bind()
    query = sa.select(events.c.event_key, events.c.type, events.c.body).where(events.c.type.in_(names))
    for key, old, body in connection.execute(query).all():
        renamed = _renamed(bytes(body), old, names[old])
        values = {"type": names[old], "body": renamed}
        if names is TYPES:
            values["digest"] = digest_text(canonical(decode_event(renamed)))
        connection.execute(events.update().where(events.c.event_key == key).values(values))


def _renamed(body: bytes, old: str, new: str) -> bytes:
    """The CloudEvent with its new type; every other field as it was received."""
    return json.dumps({**json.loads(body), "type": new}, ensure_ascii=False, separators=(",", ":")).encode()


def _rename_kinds(names: dict[str, str]) -> None:
    for name in ("flags", "flag_changes"):
        keys = ("flag_id",) if name == "flags" else ("flag_id", "version")
        columns = [*map(sa.column, keys), sa.column("kind"), sa.column("kinds", sa.JSON())]
        table = sa.table(name, *columns)
        for row in op.get_bind().execute(sa.select(table)).mappings().all():
            if names.keys().isdisjoint((row["kind"], *row["kinds"])):
                continue
            key = sa.and_(*(table.c[column] == row[column] for column in keys))
            kinds = [names.get(kind, kind) for kind in row["kinds"]]
            values = {"kind": names.get(row["kind"], row["kind"]), "kinds": kinds}
            op.get_bind().execute(table.update().where(key).values(values))
