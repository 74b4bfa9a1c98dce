"""What the comparison sees and what it overlooks. In: a store made of literal rows. Out: sentences."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from tests.oracle.compare import JSON_COLUMNS, MOST, actual_store, differences
from tests.oracle.episodes import flag_id_of, number_of
from tests.oracle.messages import action, checkin, closed, erased, held, missed, scores, voided
from tests.oracle.reference import COLUMNS, expected_store

FLAG = flag_id_of("c1", number_of("k"))
LOG = [
    held(0),
    checkin(1, 0.45, checkin_id="k"),
    action(2, "discussed", FLAG),
    missed(3),
    voided(4, "none"),
    closed(5),
    *scores(0.9, 0.5, subject="c2"),
    checkin(9, 0.9, subject="c3", answers={"trust": None}),
    held(9, subject="c4"),
    erased(10, subject="c4"),
    (b"c1", b"{\xff", 1_767_261_600_123),
    (None, None, 1_767_261_600_123),
    (None, None, 1_767_261_600_123),
]
WHOLE = frozenset({"revision", "version", "session_number", "active_cases", "scored_cases"})
REAL = frozenset(
    {"total", "trust", "empathy", "goals", "communication", "score_points", "expected_false_flags_per_100"}
)


def type_of(column: str, is_utc_kept: bool) -> sa.types.TypeEngine[Any]:
    if column.endswith("_at"):
        return sa.DateTime(timezone=is_utc_kept)
    if column in JSON_COLUMNS:
        return sa.JSON()
    if column in WHOLE:
        return sa.BigInteger()
    if column in REAL:
        return sa.Float()
    if column == "was_held":
        return sa.Boolean()
    return sa.LargeBinary() if column in ("key", "value") else sa.Text()


def write(engine: sa.Engine, store: Mapping[str, pd.DataFrame]) -> None:
    """The frames as tables, with a column more in each that is a trace of arrival."""
    keeps_utc = engine.dialect.name != "sqlite"
    metadata = sa.MetaData()
    for name, columns in COLUMNS.items():
        typed = [sa.Column(column, type_of(column, keeps_utc)) for column in columns if column != "count"]
        table = sa.Table(name, metadata, sa.Column("kafka_offset", sa.BigInteger), *typed)
        table.create(engine)
        rows = [{"kafka_offset": 7}] if name == "erased_cases" else store[name].to_dict("records")
        with engine.begin() as connection:
            for row in rows:
                connection.execute(sa.insert(table), {str(key): plain(cell, keeps_utc) for key, cell in row.items()})


def plain(cell: Any, keeps_utc: bool) -> Any:
    if isinstance(cell, datetime):
        return (
            None
            if cell is pd.NaT
            else pd.Timestamp(cell).to_pydatetime().replace(tzinfo=cell.tzinfo if keeps_utc else None)
        )
    return cell


@pytest.fixture
def sqlite(tmp_path: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{tmp_path / 'store.db'}")


def test_a_store_in_sqlite_that_is_as_it_should_be_shows_no_difference(sqlite: sa.Engine) -> None:
    expected = expected_store(LOG)
    assert not any(table.empty for table in expected.values())
    write(sqlite, expected)
    assert differences(expected, actual_store(sqlite)) == []
    sqlite.dispose()


@pytest.mark.postgres
def test_a_store_in_postgresql_that_is_as_it_should_be_shows_no_difference(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    expected = expected_store(LOG)
    write(engine, expected)
    assert differences(expected, actual_store(engine)) == []
    engine.dispose()


def test_an_empty_log_and_an_empty_store_agree(sqlite: sa.Engine) -> None:
    expected = expected_store([])
    write(sqlite, expected)
    with sqlite.begin() as connection:
        connection.execute(sa.text("DELETE FROM erased_cases"))
    assert differences(expected, actual_store(sqlite)) == []
    sqlite.dispose()


def test_a_retracted_flag_is_overlooked(sqlite: sa.Engine) -> None:
    expected = expected_store(LOG)
    write(sqlite, expected)
    with sqlite.begin() as connection:
        connection.execute(sa.text("UPDATE flags SET status = 'retracted' WHERE case_id = 'c1'"))
    (found,) = differences(expected, actual_store(sqlite))
    assert found.startswith(f"flags flag_id='{FLAG}': expected, but not in the store: {{")
    sqlite.dispose()


def test_a_difference_names_table_key_column_and_both_values() -> None:
    expected, actual = expected_store(scores(0.9, 0.8)), expected_store(scores(0.9, 0.7525))
    found = differences(expected, actual)
    assert "therapists therapist_id='t1', score_points: expected 0.8, the store has 0.7525" in found
    assert any(line.startswith("checkins case_id='c1' checkin_id='clinic#alliance.checkin") for line in found)


def test_a_case_too_many_for_an_ingredient_is_reported() -> None:
    expected = expected_store([checkin(0, 0.9, answers={"trust": 9, "empathy": 9, "goals": 9})])
    actual = {name: table.copy() for name, table in expected.items()}
    column = "ingredient_scored_cases"
    actual["therapists"][column] = pd.Series([{"trust": 1, "empathy": 1, "goals": 1, "communication": 1}])
    (found,) = differences(expected, actual)
    assert found.startswith("therapists therapist_id='t1', ingredient_scored_cases: expected {")
    actual["therapists"][column] = pd.Series([None], dtype="object")
    assert len(differences(expected, actual)) == 1, "not counted is not the same as none"


def test_a_row_too_many_or_too_few_is_reported() -> None:
    one, two = expected_store([held(0)]), expected_store([held(0), held(0, "s2", id="e2")])
    assert "events case_id='c1' source='clinic' id='e2': in the store, but not expected" in differences(one, two)[0]
    assert "events case_id='c1' source='clinic' id='e2': expected, but not in the store" in differences(two, one)[0]


def test_equal_refused_records_are_counted() -> None:
    refused = (b"c1", b"{", 0)
    two, three = expected_store([refused] * 2), expected_store([refused] * 3)
    (found,) = differences(two, three)
    assert "(no. 3 of that name): in the store, but not expected" in found


def test_numbers_may_differ_by_a_millionth_and_instants_not_by_a_microsecond() -> None:
    expected = expected_store([checkin(0, 0.9)])
    close = {name: table.copy() for name, table in expected.items()}
    close["checkins"]["total"] = [0.9 + 9e-7]
    assert differences(expected, close) == []
    close["checkins"]["total"] = [0.9 + 2e-6]
    close["checkins"]["occurred_at"] += pd.Timedelta(microseconds=1)
    assert len(differences(expected, close)) == 2


def test_twenty_differences_are_enough() -> None:
    expected, actual = expected_store(scores(*[0.9] * 30)), expected_store([])
    assert len(differences(expected, actual)) == MOST == 20
