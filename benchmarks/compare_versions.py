"""Whether two versions of this software make the same flags, messages and store of the same history.

In: `history`: nothing but a size. `run`: a history. `compare`: the results of two runs. Out: files; sentences that say
where two results differ.
Never: a part of the product; a Kafka (the worker and the store are joined by lists).

    python -m benchmarks.compare_versions history FOLDER
    python -m benchmarks.compare_versions run FOLDER/events.jsonl NEW
    cd OTHER && PYTHONPATH=OTHER python -P THIS/benchmarks/compare_versions.py run FOLDER/events.jsonl OLD
    python -m benchmarks.compare_versions compare OLD NEW

The history is a simulated practice in the order of arrival: late, duplicated, corrected and voided check-ins, as the
simulator delivers them, with actions on flags, ids that were used for two contents, and one erasure.
`compare` allows for the names and sentences that version 0.1.0 changed on purpose.
"""

import argparse
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

Json = dict[str, Any]

#: Old names and their new ones: kinds of flags, a type of event, a table of the store.
RENAMED = {
    "silence": "nonresponse",
    "split": "discrepancy",
    "alliance.checkin.withdrawn.v1": "alliance.checkin.voided.v1",
    "withdrawals": "voided_checkins",
}
VOIDED = "alliance.checkin.voided.v1"
#: Sentences for people.
SENTENCES = frozenset({"explanation", "suggestion"})
#: The migrations' own table.
NOT_COMPARED = frozenset({"alembic_version"})
MOST_SHOWN = 20
#: What senders get wrong in the history: shares of check-ins, or of all events.
FAULTS: Json = {"corrected_share": 0.05, "voided_share": 0.02, "duplicated_share": 0.05, "late_share": 0.1}


def main() -> int:
    """Do one step."""
    given = _options()
    if given.step == "history":
        return _write_history(given.folder, given.therapists, given.weeks)
    if given.step == "run":
        return _run(given.events, given.out)
    found = [*compared_flags(given.old, given.new), *compared_messages(given.old, given.new)]
    found += compared_stores(given.old / "store.sqlite", given.new / "store.sqlite")
    print("\n".join(found[:MOST_SHOWN]) or "The two versions agree.")
    return 1 if found else 0


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m benchmarks.compare_versions")
    steps = options.add_subparsers(dest="step", required=True)
    history = steps.add_parser("history", help="simulate a history")
    history.add_argument("folder", type=Path)
    history.add_argument("--therapists", type=int, default=12)
    history.add_argument("--weeks", type=int, default=26)
    run = steps.add_parser("run", help="make flags, messages and a store of a history, with the version on the path")
    run.add_argument("events", type=Path)
    run.add_argument("out", type=Path)
    compare = steps.add_parser("compare", help="compare the results of two runs")
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    return options.parse_args()


def _write_history(folder: Path, therapists: int, weeks: int) -> int:
    from datetime import UTC, datetime

    from alliance.evaluation.backtest import backtest
    from alliance.simulation.practice import PracticeParameters, simulate

    first_day = datetime(2026, 1, 5, tzinfo=UTC)
    practice = PracticeParameters(first_day=first_day, therapists=therapists, weeks=weeks, therapist_checkins=True)
    made = simulate(replace(practice, **FAULTS))
    arrived: list[Json] = [made.events[index] for index in made.delivery]
    flags = backtest(made.events).flags
    arrived += [_action(number, flag) for number, flag in enumerate(flags) if number % 3 == 0]
    arrived += [_other_content(event) for event in arrived[:: len(arrived) // 40] if "answers" in event["data"]]
    arrived.append({**arrived[0], "id": "erasure", "type": "alliance.case.erased.v1", "data": {}})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in arrived), encoding="utf-8")
    types = Counter(event["type"] for event in arrived)
    twice = sum(count - 1 for count in Counter(json.dumps(event, sort_keys=True) for event in arrived).values())
    revised = sum(event["data"].get("revision", 1) > 1 for event in arrived)
    print(f"{len(arrived)} events, {twice} of them duplicates, {revised} corrections; {dict(types)}")
    return 0


def _action(number: int, flag: Any) -> Json:
    """A supervisor's action at the opening of a flag: the three kinds in turn."""
    kind = ("acknowledged", "discussed", "dismissed")[number % 9 // 3]
    return {
        "specversion": "1.0",
        "id": f"action-{number}",
        "source": "/compare",
        "type": f"alliance.flag.{kind}.v1",
        "subject": flag.case_id,
        "time": flag.opened_at.isoformat().replace("+00:00", "Z"),
        "data": {"flag_id": flag.flag_id, "by": "p-1", **({"reason": "other"} if kind == "dismissed" else {})},
    }


def _other_content(event: Json) -> Json:
    """The same id with other answers, as a careless sender makes it."""
    return {**event, "data": {**event["data"], "answers": dict.fromkeys(event["data"]["answers"], 5)}}


def _run(events: Path, out: Path) -> int:
    """With whichever version is on the path; the names before the packages were moved are tried first."""
    try:
        backtesting, in_memory = import_module("pipeline.backtest"), import_module("tests.support.straight").Straight
        is_old = True
    except ModuleNotFoundError:
        backtesting = import_module("alliance.evaluation.backtest")
        in_memory = import_module("deploy.testbed.in_memory").InMemoryPipeline
        is_old = False
    from sqlalchemy import create_engine

    from consumers.store.tables import metadata

    out.mkdir(parents=True, exist_ok=True)
    lines = [_named(line, is_old) for line in events.read_text(encoding="utf-8").splitlines()]
    with (out / "flags.jsonl").open("wb") as file:
        backtesting.write_flags(backtesting.backtest([line.encode() for line in lines]), file)
    ran = in_memory().feed([json.loads(line) for line in lines], batch=50)
    _write_messages(ran.log.topics, out / "messages.jsonl")
    (out / "store.sqlite").unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{out / 'store.sqlite'}")
    metadata.create_all(engine)
    ran.store(engine)
    print(f"{len(lines)} events; see {out}")
    return 0


def _named(line: str, is_old: bool) -> str:
    return line.replace("checkin.voided", "checkin.withdrawn") if is_old else line


def _write_messages(topics: dict[str, list[Any]], file: Path) -> None:
    with file.open("w", encoding="utf-8") as out:
        for topic in sorted(topics):
            for record in topics[topic]:
                value = None if record.value is None else record.value.decode()
                out.write(json.dumps([topic, record.offset, (record.key or b"").decode(), value]) + "\n")


def compared_flags(old: Path, new: Path) -> Iterator[str]:
    """Where the flags of two backtests differ."""
    before, after = (
        {flag["flag_id"]: flag for flag in map(json.loads, (folder / "flags.jsonl").read_text().splitlines())}
        for folder in (old, new)
    )
    for flag_id in sorted(before.keys() | after.keys()):
        yield from _differences(f"flag {flag_id}", before.get(flag_id), after.get(flag_id))
    print(f"{len(before)} and {len(after)} flags of the backtests")


def compared_messages(old: Path, new: Path) -> Iterator[str]:
    """Where the messages on the topics differ, one by one in their order."""
    before, after = ((folder / "messages.jsonl").read_text().splitlines() for folder in (old, new))
    print(f"{len(before)} and {len(after)} messages on the topics")
    if len(before) != len(after):
        yield f"{len(before)} messages before, {len(after)} now"
    for was, now in zip(map(json.loads, before), map(json.loads, after), strict=False):
        yield from _differences(f"{now[0]} {now[1]}", _message(was), _message(now))


def _message(record: list[Any]) -> Json:
    topic, offset, key, value = record
    with suppress(ValueError):
        value = value and json.loads(value)
    return {"topic": topic, "offset": offset, "key": key, "value": value}


def compared_stores(old: Path, new: Path) -> Iterator[str]:
    """Where the rows of two SQLite stores differ."""
    before, after = _tables(old), _tables(new)
    for table in sorted(before.keys() | after.keys()):
        if before.get(table) == after.get(table):
            continue
        was, now = Counter(before.get(table, ())), Counter(after.get(table, ()))
        yield from (f"store, {table}: only before: {row}" for row in (was - now).elements())
        yield from (f"store, {table}: only now: {row}" for row in (now - was).elements())
    print("rows of the stores: " + ", ".join(f"{table} {len(rows)}" for table, rows in sorted(after.items())))


def _tables(file: Path) -> dict[str, list[str]]:
    """Rows as JSON texts in one order, by table, in the new names."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
    tables = {}
    for name in names:
        if name not in NOT_COMPARED:
            rows = connection.execute(f'select * from "{name}"')
            tables[RENAMED.get(name, name)] = sorted(_row_text(dict(row)) for row in rows)
    connection.close()
    return tables


def _row_text(row: Json) -> str:
    cells = {column: _cell(cell) for column, cell in row.items() if column not in SENTENCES}
    if cells.get("type") == VOIDED:
        # The digest is of the content, which names the type.
        del cells["digest"]
    return json.dumps(cells, sort_keys=True)


def _cell(cell: Any) -> Any:
    text = cell.decode(errors="replace") if isinstance(cell, bytes) else cell
    if isinstance(text, str) and text[:1] in ("{", "["):
        return renamed(json.loads(text))
    return renamed(text)


def renamed(value: Any) -> Any:
    """The value in the new names, without sentences for people."""
    if isinstance(value, dict):
        return {name: renamed(part) for name, part in value.items() if name not in SENTENCES}
    if isinstance(value, list):
        return [renamed(part) for part in value]
    return RENAMED.get(value, value) if isinstance(value, str) else value


def _differences(what: str, before: Json | None, after: Json | None) -> Iterable[str]:
    was, now = renamed(before), renamed(after)
    if was == now:
        return []
    if was is None or now is None:
        return [f"{what}: only {'now' if was is None else 'before'}"]
    return [
        f"{what}, {name}: was {was.get(name)!r}, is {now.get(name)!r}"
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    ]


if __name__ == "__main__":
    sys.exit(main())
