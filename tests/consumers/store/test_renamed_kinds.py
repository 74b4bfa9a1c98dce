"""What was stored or published under the names from before version 0.1.0.

In: a store at revision 0002, a flag snapshot, an event, each with the old names. Out: the present names.
Never: a row that is lost on the way.
"""

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, select, text

from consumers.store import tables
from consumers.store.database import MIGRATIONS, migrate, open_engine
from consumers.store.sink import StoreSink
from deploy.testbed.builders import LATE_MS, a_checkin, a_void, key_of, value_of
from deploy.testbed.flags import a_flag, flag_record
from deploy.testbed.in_memory import INSTRUMENTS, InMemoryPipeline, InMemoryRecord
from pipeline.core.acceptance import Refusal, accept
from schemas.codec import decode_flag, encode
from schemas.refusals import Reason
from schemas.topics import FLAGS

OLD_TYPE = b"alliance.checkin.withdrawn.v1"
RENAMED_FLAGS = [
    a_flag(1, kind="discrepancy", kinds=["discrepancy", "nonresponse"]),
    a_flag(2, kind="drop", kinds=["drop", "nonresponse"]),
    a_flag(3, kind="waning", kinds=["waning"]),
]


def all_rows(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Every table, its rows in the order of their keys."""
    with engine.connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]
            for table in tables.metadata.sorted_tables
        }


def move_to_revision(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.downgrade(config, revision)


def keeps_its_rows(engine: Engine) -> None:
    """A store with the old names holds, once upgraded, what a new one holds."""
    migrate(engine)
    extra = {"an_extra_field": "Ünïcode"}
    InMemoryPipeline().feed([a_checkin(1), a_checkin(2), a_void("k-2", 2, **extra)]).store(engine)
    records = [flag_record(flag) for flag in RENAMED_FLAGS]
    StoreSink(engine, INSTRUMENTS).write(
        [InMemoryRecord(FLAGS, record.key, record.value, 100 + offset) for offset, record in enumerate(records)]
    )
    before = all_rows(engine)
    assert [row["checkin_id"] for row in before["voided_checkins"]] == ["k-2"]
    move_to_revision(engine, "0002")
    with engine.begin() as connection:
        connection.execute(text("UPDATE events SET digest = 'of-the-old-name' WHERE type LIKE '%withdrawn%'"))
        assert connection.scalar(text("SELECT count(*) FROM withdrawals")) == 1
        assert set(connection.scalars(text("SELECT kind FROM flags"))) == {"split", "drop", "waning"}
        bodies = connection.scalars(text("SELECT body FROM events WHERE digest = 'of-the-old-name'")).all()
        assert [OLD_TYPE in bytes(body) for body in bodies] == [True]
    migrate(engine)
    after = all_rows(engine)
    assert after.keys() == before.keys()
    bodies_before, bodies_after = ({row["id"]: row.pop("body") for row in rows["events"]} for rows in (before, after))
    assert after == before
    assert [OLD_TYPE in body for body in bodies_after.values()] == [False] * 3
    assert bodies_after.keys() == bodies_before.keys()
    engine.dispose()


def test_a_store_with_the_old_names_keeps_its_rows_in_sqlite(tmp_path: Path) -> None:
    keeps_its_rows(open_engine(f"sqlite:///{tmp_path}/store.sqlite"))


@pytest.mark.postgres
def test_a_store_with_the_old_names_keeps_its_rows_in_postgresql(postgres_url: str) -> None:
    keeps_its_rows(open_engine(postgres_url))


@pytest.mark.parametrize("flag", RENAMED_FLAGS, ids=lambda flag: flag.kind)
def test_a_snapshot_with_the_old_names_is_read_with_the_new_ones(flag: Any) -> None:
    written = encode(flag).replace(b'"nonresponse"', b'"silence"').replace(b'"discrepancy"', b'"split"')
    assert decode_flag(written) == flag


def test_an_event_of_the_old_name_is_refused_with_the_new_one() -> None:
    event = a_void("k-2", 2)
    value = value_of(event).replace(b"alliance.checkin.voided.v1", OLD_TYPE)
    assert accept(value, key_of(event), LATE_MS, INSTRUMENTS) == Refusal(
        Reason.UNKNOWN_TYPE, "type is now named alliance.checkin.voided.v1"
    )
