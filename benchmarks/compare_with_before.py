"""Whether the renaming of version 0.1.0 changed anything but names and sentences (docs/decisions/0010).

In: a checkout from before the renaming (`git worktree add DIR 373a00c`). Out: the differences between the flags of two
backtests and between the rows of two stores, of the same simulated history with duplicated, late, corrected and voided
check-ins; exit code 1 if there are any.
Never: a part of the product.

`python -m benchmarks.compare_with_before CHECKOUT`
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import create_engine, inspect, text

from alliance.simulation.practice import PracticeParameters, simulate
from alliance.simulation.stream import write_events

PARAMETERS = PracticeParameters(
    first_day=datetime(2026, 1, 5, tzinfo=UTC), seed=20, therapists=10, weeks=26, therapist_checkins=True,
    duplicated_share=0.02, late_share=0.03, corrected_share=0.03, voided_share=0.02,
)  # fmt: skip
#: New name: the name before.
NAMES = {
    "alliance.checkin.voided.v1": "alliance.checkin.withdrawn.v1",
    "voided_checkins": "withdrawals",
    "nonresponse": "silence",
    "discrepancy": "split",
}
#: Sentences were rewritten on purpose. The body and its digest contain the name of the event type.
LEFT_OUT = {"explanation", "suggestion", "body", "digest"}

BACKTEST = "from {cli} import main; main(['backtest', {events!r}, '--flags', {flags!r}], standalone_mode=False)"
STORE_BEFORE = """
import json
from pathlib import Path
from consumers.store.database import migrate, open_engine
from tests.support.straight import Straight
engine = open_engine({url!r})
migrate(engine)
Straight().feed(map(json.loads, Path({events!r}).read_text().splitlines()), 100).store(engine)
"""
STORE_NOW = STORE_BEFORE.replace("tests.support.straight", "deploy.testbed.in_memory").replace(
    "Straight", "InMemoryPipeline"
)


def run(checkout: Path, program: str) -> None:
    """Run a program with the modules of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-P", "-c", program]
    subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL)


def renamed(value: Any) -> Any:
    """A value with the names from before, without what was changed on purpose."""
    if isinstance(value, dict):
        return {renamed(key): renamed(item) for key, item in value.items() if key not in LEFT_OUT}
    if isinstance(value, list):
        return [renamed(item) for item in value]
    return NAMES.get(value, value) if isinstance(value, str) else value


def flags_of(file: Path) -> list[Any]:
    """The flags of a backtest, in its order."""
    return [renamed(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def rows_of(file: Path) -> dict[str, list[str]]:
    """Every table of a store with its rows, sorted."""
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        return {
            renamed(table): sorted(
                json.dumps(renamed(_readable(row)), sort_keys=True, default=str)
                for row in connection.execute(text(f'SELECT * FROM "{table}"')).mappings()
            )
            for table in inspect(engine).get_table_names()
            if table != "alembic_version"
        }


def _readable(row: Any) -> dict[str, Any]:
    """A row with its JSON columns decoded, so that names inside them are compared too."""
    return {key: json.loads(value) if _is_json(value) else value for key, value in row.items()}


def _is_json(value: Any) -> bool:
    return isinstance(value, str) and value[:1] in ("{", "[")


def differences(before: Path, folder: Path) -> Iterator[str]:
    """One line for each kind of row that differs, after a line that says how many were compared."""
    events = folder / "events.jsonl"
    with events.open("wb") as file:
        write_events(simulate(PARAMETERS), file)
    events_before = folder / "events-before.jsonl"
    new_type, old_type = next(iter(NAMES.items()))
    events_before.write_text(events.read_text(encoding="utf-8").replace(new_type, old_type), encoding="utf-8")
    here = Path(__file__).parent.parent
    for checkout, name, cli, store, sent in (
        (before, "before", "pipeline.cli", STORE_BEFORE, events_before),
        (here, "now", "alliance.cli", STORE_NOW, events),
    ):
        flags = str(folder / f"flags-{name}.jsonl")
        run(checkout, BACKTEST.format(cli=cli, events=str(sent), flags=flags))
        run(checkout, store.format(url=f"sqlite:///{folder}/{name}.sqlite", events=str(sent)))
    flags_before, flags_now = flags_of(folder / "flags-before.jsonl"), flags_of(folder / "flags-now.jsonl")
    print(f"backtest: {len(flags_before)} flags before, {len(flags_now)} now")
    if flags_before != flags_now:
        yield "the flags of the backtests differ"
    rows_before, rows_now = rows_of(folder / "before.sqlite"), rows_of(folder / "now.sqlite")
    for table in sorted(rows_before.keys() | rows_now.keys()):
        old, new = rows_before.get(table), rows_now.get(table)
        print(f"store: {table}, {len(old or [])} rows before, {len(new or [])} now")
        if old != new:
            yield f"the rows of {table} differ"


def main() -> None:
    """Compare with the checkout that is named."""
    with TemporaryDirectory() as folder:
        found = list(differences(Path(sys.argv[1]).resolve(), Path(folder)))
    print("\n".join(found) or "no difference apart from names and sentences")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
