"""The store as it is, beside the store as it should be.

In: an SQL store; two stores as frames. Out: frames in the oracle's form; sentences that say where they differ.
Never: what is a trace of the order of arrival (versions of flags, places in Kafka, retracted flags), nor free wording.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa

from tests.oracle.reference import COLUMNS

MOST = 20
TOLERANCE = 1e-6

#: What names a row. Refused records have no name of their own; equal ones are numbered.
KEYS: dict[str, tuple[str, ...]] = {
    "events": ("case_id", "source", "id"),
    "checkins": ("case_id", "checkin_id"),
    "voided_checkins": ("event_key",),
    "sessions": ("event_key",),
    "closures": ("event_key",),
    "flag_actions": ("event_key",),
    "flags": ("flag_id",),
    "therapists": ("therapist_id",),
    "rejected": ("received_at", "key", "value", "reason"),
    "erased_cases": (),
}
JSON_COLUMNS = frozenset(
    {"answers", "kinds", "evidence", "ingredient_points", "ingredient_scored_cases", "open_flag_cases", "days"},
)
#: Sums by name; a name that is not there is a sum of nothing.
SUMS_BY_NAME = frozenset({"ingredient_points", "ingredient_scored_cases", "open_flag_cases"})

Name = tuple[Any, ...]


def actual_store(engine: sa.Engine) -> dict[str, pd.DataFrame]:
    """The tables of an SQL store, in the form that `reference.expected_store` gives them."""
    with engine.connect() as connection:
        return {name: _read(connection, name) for name in COLUMNS}


def differences(expected: Mapping[str, pd.DataFrame], actual: Mapping[str, pd.DataFrame]) -> list[str]:
    """Where the two stores differ, row for row and cell for cell; the first 20 places at most, none if they agree."""
    found: list[str] = []
    for table in COLUMNS:
        for difference in _in_table(table, expected[table], actual[table]):
            if len(found) == MOST:
                return found
            found.append(difference)
    return found


def _read(connection: sa.Connection, name: str) -> pd.DataFrame:
    table: pd.DataFrame = pd.read_sql_table(name, connection)
    if name == "erased_cases":
        return pd.DataFrame({"count": [len(table)]}, dtype="object")
    if name == "flags":
        table = table[table["status"] != "retracted"]
    return pd.DataFrame(
        {column: _cleaned(column, table[column]) for column in COLUMNS[name]}, columns=[*COLUMNS[name]]
    ).reset_index(drop=True)


def _cleaned(column: str, values: "pd.Series[Any]") -> "pd.Series[Any]":
    """One column as the oracle has it: aware instants, decoded JSON, None for what is not there."""
    if column.endswith("_at"):
        return pd.to_datetime(values, utc=True).dt.as_unit("us")
    cells = [None if _is_missing(cell) else cell for cell in values]
    if column in JSON_COLUMNS:
        cells = [json.loads(cell) if isinstance(cell, str) else cell for cell in cells]
    if column == "was_held":
        cells = [bool(cell) for cell in cells]
    return pd.Series([bytes(cell) if isinstance(cell, memoryview) else cell for cell in cells], values.index, "object")


def _in_table(table: str, expected: pd.DataFrame, actual: pd.DataFrame) -> Iterator[str]:
    wanted, found = _named(table, expected), _named(table, actual)
    for name in sorted(wanted.keys() | found.keys(), key=repr):
        label = f"{table} {_label(table, name)}".rstrip()
        if name not in found:
            yield f"{label}: expected, but not in the store: {wanted[name]}"
        elif name not in wanted:
            yield f"{label}: in the store, but not expected: {found[name]}"
        else:
            for column in COLUMNS[table]:
                should, does = wanted[name][column], found[name][column]
                if not _agree(column, should, does):
                    yield f"{label}, {column}: expected {_shown(should)}, the store has {_shown(does)}"


def _named(table: str, frame: pd.DataFrame) -> dict[Name, dict[str, Any]]:
    """The rows by their names; equal names are numbered, after sorting what they name."""
    rows = sorted((dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False)), key=repr)
    seen: Counter[Name] = Counter()
    named = {}
    for row in rows:
        name = tuple(row[column] for column in KEYS[table])
        named[(*name, seen[name])] = row
        seen[name] += 1
    return named


def _label(table: str, name: Name) -> str:
    parts = [f"{column}={_shown(cell)}" for column, cell in zip(KEYS[table], name, strict=False)]
    number = name[-1]
    return " ".join(parts) + (f" (no. {number + 1} of that name)" if number else "")


def _agree(column: str, should: Any, does: Any) -> bool:
    if column in SUMS_BY_NAME and isinstance(should, dict) and isinstance(does, dict):
        return all(_same(should.get(name, 0), does.get(name, 0)) for name in should.keys() | does.keys())
    return _same(should, does)


def _same(should: Any, does: Any) -> bool:
    if _is_missing(should) or _is_missing(does):
        return _is_missing(should) and _is_missing(does)
    if isinstance(should, dict) and isinstance(does, dict):
        return should.keys() == does.keys() and all(_same(should[name], does[name]) for name in should)
    if isinstance(should, Sequence) and isinstance(does, Sequence) and not isinstance(should, str | bytes):
        return len(should) == len(does) and all(map(_same, should, does))
    if isinstance(should, float | int) and isinstance(does, float | int):
        return abs(should - does) <= TOLERANCE
    return bool(should == does)


def _is_missing(cell: Any) -> bool:
    return cell is None or (pd.api.types.is_scalar(cell) and bool(pd.isna(cell)))


def _shown(cell: Any) -> str:
    return cell.isoformat() if isinstance(cell, pd.Timestamp) and not pd.isna(cell) else repr(cell)
