"""Writes many rows into one table at once, in the fastest way of each database.

In: dicts, one per row; an open connection to SQLite or PostgreSQL. Out: the rows; how many were inserted or replaced.
Never: two rows with the same key in one statement, a lower version over a higher one, a commit.

SQLAlchemy compiles each statement once per table, and the values are converted column by column. SQLite gets one
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


def upsert(connection: Connection, table: Table, new: Collection[Row], *version_columns: str) -> int:
    """Insert the rows; replace a row with a known key only if its version columns are higher. How many were written.

    Without version columns a row with a known key is left as it is.
    """
    if not new:
        return 0
    dialect = connection.dialect.name
    plan = _plan(table, version_columns, dialect)
    columns = plan.columns(new)
    values: Any = list(zip(*columns, strict=True))
    if dialect == "postgresql":
        values = dict(zip(plan.names, map(list, columns), strict=True))
    # Without this option some drivers do not report how many rows an INSERT has written.
    options = {"preserve_rowcount": True}
    return connection.exec_driver_sql(plan.statement, values, execution_options=options).rowcount


def is_any_of(connection: Connection, searched: Column[str], values: Iterable[str]) -> Any:
    """The condition that the column has any of the values, which are sent as one parameter however many there are."""
    listed = list(values)
    if connection.dialect.name == "postgresql":
        return searched == func.any(bindparam(None, listed, postgresql.ARRAY(Text)))
    return searched.in_(select(func.json_each(msgspec.json.encode(listed).decode()).table_valued("value").c.value))


class _Plan(NamedTuple):
    """How rows get into one table in one dialect."""

    statement: str
    names: tuple[str, ...]
    pick: Callable[[Row], tuple[Any, ...]]
    key: Callable[[Row], Any]
    rank: Callable[[Row], Any] | None
    #: For each column whose values the driver does not accept as they are: its place, and the conversion.
    encoders: tuple[tuple[int, Encoder], ...]

    def columns(self, new: Collection[Row]) -> list[Sequence[Any]]:
        """The values of each column, one row for each key."""
        columns: list[Sequence[Any]] = list(zip(*map(self.pick, self._distinct(new)), strict=True))
        for place, encode in self.encoders:
            columns[place] = [None if value is None else encode(value) for value in columns[place]]
        return columns

    def _distinct(self, new: Collection[Row]) -> Collection[Row]:
        """One row for each key: the one with the highest version, or the first if there is no version."""
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
def _plan(table: Table, version_columns: tuple[str, ...], dialect: str) -> _Plan:
    names = tuple(column.name for column in table.columns)
    encoders = ((place, _encoder(column.type, dialect)) for place, column in enumerate(table.columns))
    return _Plan(
        statement=_postgresql(table, version_columns) if dialect == "postgresql" else _sqlite(table, version_columns),
        names=names,
        pick=itemgetter(*names),
        key=itemgetter(*table.primary_key.columns.keys()),
        rank=itemgetter(*version_columns) if version_columns else None,
        encoders=tuple((place, encode) for place, encode in encoders if encode is not None),
    )


def _sqlite(table: Table, version_columns: tuple[str, ...]) -> str:
    statement = _only_upwards(sqlite.insert(table), table, version_columns)
    return str(statement.compile(dialect=sqlite.dialect()))


def _postgresql(table: Table, version_columns: tuple[str, ...]) -> str:
    arrays = [bindparam(field.name, type_=postgresql.ARRAY(_bare(field.type))) for field in table.columns]
    names = [field.name for field in table.columns]
    given = func.unnest(*arrays).table_valued(*map(column, names)).render_derived()
    statement = _only_upwards(postgresql.insert(table).from_select(names, select(given)), table, version_columns)
    text = str(statement.compile(dialect=postgresql.psycopg.dialect()))  # type: ignore[no-untyped-call]
    # With `b` psycopg sends the arrays in binary form. In text form it quotes each value in Python, many times slower.
    return text.replace(")s::", ")b::")


def _only_upwards(statement: Any, table: Table, version_columns: tuple[str, ...]) -> Any:
    if not version_columns:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={field.name: statement.excluded[field.name] for field in table.columns if not field.primary_key},
        where=tuple_(*(table.c[name] for name in version_columns))
        < tuple_(*(statement.excluded[name] for name in version_columns)),
    )


def _bare(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type by which the database knows the column."""
    return kind.impl_instance if isinstance(kind, Instant) else kind


def _encoder(kind: TypeEngine[Any], dialect: str) -> Encoder | None:
    """The conversion to what the driver accepts and SQLAlchemy can read back; None if there is nothing to convert."""
    if isinstance(kind, JSON):
        return _json
    if isinstance(kind, Instant):
        return _utc_text if dialect == "sqlite" else None
    return None


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _utc_text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(" ", "microseconds").removesuffix("+00:00")
