"""Many rows into one table at once, as fast as each database takes them.

In: dicts, one per row; an open connection, SQLite or PostgreSQL. Out: the rows; how many were new or rose.
Never: two rows of one key in one statement, a lower version over a higher one, a commit.

SQLAlchemy writes each statement once per table; the values become the driver's column by column. SQLite takes one
prepared statement for all rows, PostgreSQL one array per column.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import JSON, Column, Connection, Table, Text, bindparam, column, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from consumers.store.rows import Row
from consumers.store.tables import Instant

Encoder = Callable[[Any], Any]


def upsert(connection: Connection, table: Table, new: Collection[Row], *rising: str) -> int:
    """Insert; where the key is known replace only by a higher `rising`, or not at all. How many rows were written."""
    if not new:
        return 0
    dialect = connection.dialect.name
    plan = _plan(table, rising, dialect)
    columns = plan.columns(new)
    values: Any = list(zip(*columns, strict=True))
    if dialect == "postgresql":
        values = dict(zip(plan.names, map(list, columns), strict=True))
    # For an INSERT only this option makes the number of rows known on every driver.
    options = {"preserve_rowcount": True}
    return connection.exec_driver_sql(plan.statement, values, execution_options=options).rowcount


def one_of(connection: Connection, wanted: Column[str], values: Iterable[str]) -> Any:
    """The condition that the column is one of the values, which travel as one parameter however many they are."""
    listed = list(values)
    if connection.dialect.name == "postgresql":
        return wanted == func.any(bindparam(None, listed, postgresql.ARRAY(Text)))
    return wanted.in_(select(func.json_each(msgspec.json.encode(listed).decode()).table_valued("value").c.value))


class _Plan(NamedTuple):
    """How one table is written in one dialect."""

    statement: str
    names: tuple[str, ...]
    pick: Callable[[Row], tuple[Any, ...]]
    key: Callable[[Row], Any]
    rank: Callable[[Row], Any] | None
    #: For the places of the columns whose values the driver does not take as they are.
    encoders: tuple[tuple[int, Encoder], ...]

    def columns(self, new: Collection[Row]) -> list[Sequence[Any]]:
        """The values of each column, one row for each key."""
        columns: list[Sequence[Any]] = list(zip(*map(self.pick, self._distinct(new)), strict=True))
        for place, encode in self.encoders:
            columns[place] = [None if value is None else encode(value) for value in columns[place]]
        return columns

    def _distinct(self, new: Collection[Row]) -> Collection[Row]:
        """Of rows with one key the highest; the first where nothing rises."""
        best: dict[Any, Row] = {}
        for row in new:
            best.setdefault(self.key(row), row)
        if self.rank is not None and len(best) < len(new):
            for row in new:
                key = self.key(row)
                if self.rank(best[key]) < self.rank(row):
                    best[key] = row
        return best.values()


@cache
def _plan(table: Table, rising: tuple[str, ...], dialect: str) -> _Plan:
    names = tuple(column.name for column in table.columns)
    encoders = ((place, _encoder(column.type, dialect)) for place, column in enumerate(table.columns))
    return _Plan(
        statement=_postgresql(table, rising) if dialect == "postgresql" else _sqlite(table, rising),
        names=names,
        pick=itemgetter(*names),
        key=itemgetter(*table.primary_key.columns.keys()),
        rank=itemgetter(*rising) if rising else None,
        encoders=tuple((place, encode) for place, encode in encoders if encode is not None),
    )


def _sqlite(table: Table, rising: tuple[str, ...]) -> str:
    statement = _upwards(sqlite.insert(table), table, rising)
    return str(statement.compile(dialect=sqlite.dialect()))


def _postgresql(table: Table, rising: tuple[str, ...]) -> str:
    arrays = [bindparam(one.name, type_=postgresql.ARRAY(_bare(one.type))) for one in table.columns]
    names = [one.name for one in table.columns]
    given = func.unnest(*arrays).table_valued(*map(column, names)).render_derived()
    statement = _upwards(postgresql.insert(table).from_select(names, select(given)), table, rising)
    text = str(statement.compile(dialect=postgresql.psycopg.dialect()))  # type: ignore[no-untyped-call]
    # `b`: psycopg sends the arrays in binary form; in text form it quotes each value in Python, many times slower.
    return text.replace(")s::", ")b::")


def _upwards(statement: Any, table: Table, rising: tuple[str, ...]) -> Any:
    if not rising:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={one.name: statement.excluded[one.name] for one in table.columns if not one.primary_key},
        where=tuple_(*(table.c[name] for name in rising)) < tuple_(*(statement.excluded[name] for name in rising)),
    )


def _bare(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type as it is in the database."""
    return kind.impl_instance if isinstance(kind, Instant) else kind


def _encoder(kind: TypeEngine[Any], dialect: str) -> Encoder | None:
    """What makes a column's value one that the driver takes, in the form that SQLAlchemy reads; None: it is one."""
    if isinstance(kind, JSON):
        return _json
    if isinstance(kind, Instant):
        return _utc_text if dialect == "sqlite" else None
    return None


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _utc_text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(" ", "microseconds").removesuffix("+00:00")
