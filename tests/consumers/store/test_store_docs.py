"""`docs/analysts.md` and the tables are one: no table, column or type is missing, and the example queries run."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy import JSON, Boolean, Column, Engine, Float, Integer, LargeBinary, Table, Text, text
from sqlalchemy import BigInteger as _BigInteger

from alliance.simulation.practice import PracticeParameters, simulate
from consumers.store import tables
from consumers.store.database import migrate, open_engine
from consumers.store.rows import case_digest
from deploy.local.places import ROOT
from deploy.testbed.in_memory import InMemoryPipeline, memory_store

PAGE = (ROOT / "docs" / "analysts.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.+?)```", PAGE, re.DOTALL)
#: The first that fits counts: a bigint is an integer too.
WORDS: tuple[tuple[type[Any], str], ...] = (
    (tables.Instant, "instant"),
    (Boolean, "boolean"),
    (_BigInteger, "bigint"),
    (Integer, "integer"),
    (Float, "double"),
    (LargeBinary, "bytes"),
    (JSON, "json"),
    (Text, "text"),
)


def sections() -> Iterator[tuple[str, str]]:
    """Each table's name with the text of its section. One section may describe several tables."""
    for section in re.split(r"^###? ", PAGE, flags=re.MULTILINE)[1:]:
        heading, _, content = section.partition("\n")
        for name in re.findall(r"`(\w+)`", heading):
            yield name, content


def type_cell(column: Column[object]) -> str:
    """What the page says about a column's type."""
    word = next(word for kind, word in WORDS if isinstance(column.type, kind))
    return ("key, " if column.primary_key else "") + word + (" or null" if column.nullable else "")


def test_every_table_has_its_section_and_there_is_no_other_section() -> None:
    assert {name for name, _ in sections()} == set(tables.metadata.tables)


@pytest.mark.parametrize("table", tables.metadata.tables.values(), ids=lambda table: str(table.name))
def test_a_table_is_described_with_every_column_its_type_and_its_meaning(table: Table) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", dict(sections())[table.name], re.MULTILINE)
    # `flag_changes` shares the section of `flags`; the page says in words that its key is longer.
    wanted = [(column.name, type_cell(column)) for column in as_described(table).columns]
    assert [(name, kind) for name, kind, _ in rows] == wanted
    assert all(meaning.strip() for _, _, meaning in rows)


def as_described(table: Table) -> Table:
    """The table whose key the page shows."""
    if table is not tables.flag_changes:
        return table
    assert [column.name for column in table.columns] == [column.name for column in tables.flags.columns]
    return tables.flags


def a_simulated_practice(engine: Engine) -> Engine:
    """Twelve weeks of eight therapists, with corrections and voided check-ins."""
    parameters = PracticeParameters(
        first_day=datetime(2026, 1, 5, tzinfo=UTC),
        therapists=8,
        teams=2,
        weeks=12,
        corrected_share=0.02,
        voided_share=0.02,
    )
    events = [msgspec.to_builtins(event) for event in simulate(parameters).events]
    return InMemoryPipeline().feed(events, batch=1000).store(engine)


@pytest.fixture(scope="module")
def sqlite_store() -> Engine:
    return a_simulated_practice(memory_store())


def test_the_proof_of_an_erasure_asks_every_table_that_holds_rows_of_a_case() -> None:
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    asked = re.findall(r"SELECT '(\w+)'.*? FROM (\w+) WHERE case_id", security)
    assert asked == [(table.name, table.name) for table in tables.CASE_TABLES]
    assert f"'{case_digest('c-1')}' IN (key_digest, subject_digest)" in security


def test_there_are_five_example_queries() -> None:
    assert len(QUERIES) == 5


@pytest.mark.parametrize("query", QUERIES, ids=range(1, len(QUERIES) + 1))
def test_an_example_query_finds_something_in_sqlite(query: str, sqlite_store: Engine) -> None:
    with sqlite_store.connect() as connection:
        assert connection.execute(text(query)).all()


@pytest.mark.postgres
def test_the_example_queries_find_the_same_in_postgresql(postgres_url: str, sqlite_store: Engine) -> None:
    engine = open_engine(postgres_url)
    migrate(engine)
    a_simulated_practice(engine)
    with engine.connect() as there, sqlite_store.connect() as here:
        for query in QUERIES:
            assert len(there.execute(text(query)).all()) == len(here.execute(text(query)).all())
    engine.dispose()
