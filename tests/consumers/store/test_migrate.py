"""Upgrading the store's schema: if several stores start at once, one upgrades and the others wait."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import OperationalError, connect
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from consumers.store.database import migrate, newest_revision, open_engine, revision_of
from deploy.testbed.processes import Processes
from deploy.testbed.waiting import wait_until

ANOTHER_STORE = (
    "import sys; from consumers.store.database import migrate, open_engine; migrate(open_engine(sys.argv[1]))"
)
WAITS_FOR_A_LOCK = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def at_the_first_table(engine: Engine, act: Callable[[], None]) -> None:
    """Act once, when an upgrade has just created its first table and has not committed it."""

    tables = 0

    def after(_: Any, __: Any, statement: str, *___: Any) -> None:
        nonlocal tables
        tables += "CREATE TABLE" in statement
        if tables == 1:
            tables += 1
            act()

    event.listen(engine, "after_cursor_execute", after)


@pytest.mark.postgres
def test_a_store_that_starts_while_another_creates_the_tables_waits(postgres_url: str, processes: Processes) -> None:
    engine, watching = open_engine(postgres_url), open_engine(postgres_url)

    def another_waits() -> Any:
        with watching.connect() as connection:
            return connection.scalar(WAITS_FOR_A_LOCK)

    def start_another() -> None:
        other.append(processes.python("-c", ANOTHER_STORE, postgres_url))
        wait_until(another_waits, 30, lambda: f"the other store to wait; it says {other[0].output()}")

    other: list[Any] = []
    at_the_first_table(engine, start_another)
    migrate(engine)
    assert other[0].wait(30) == 0, other[0].output()
    with engine.connect() as connection:
        assert revision_of(connection) == newest_revision()
    engine.dispose()
    watching.dispose()


def test_no_other_process_can_write_to_an_sqlite_file_while_its_tables_are_created(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    engine = open_engine(f"sqlite:///{file}")
    looked: list[str] = []

    def look() -> None:
        with closing(connect(file, timeout=0)) as another, pytest.raises(OperationalError, match="locked"):
            another.execute("BEGIN IMMEDIATE")
        looked.append("locked")

    at_the_first_table(engine, look)
    migrate(engine)
    assert looked == ["locked"]
    with engine.connect() as connection:
        assert revision_of(connection) == newest_revision()
    engine.dispose()


def test_a_second_upgrade_changes_nothing(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/store.sqlite")
    migrate(engine)
    migrate(engine)
    engine.dispose()
