"""The worker beside other ways to do its job, in one interleaved run on a real Kafka: `make bench-peers`.

In: sizes. Out: a table for each load, start-up costs, recovery times; with --write in docs/benchmarks/engine.md; exit
code 1 when an outcome was wrong.
Never: a test; machines are noisy, so runners take turns and ratios are of one round.
"""

import argparse
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from benchmarks.peers import page
from benchmarks.peers.bench import Figure, measure
from benchmarks.peers.environment import REQUIREMENTS, peers_python
from benchmarks.peers.loads import (
    PARTITIONS,
    SMALL_SET,
    Load,
    by_partition,
    many_cases,
    practice,
    produce,
)
from benchmarks.peers.outcome import RIGHT, Outcome, expected
from benchmarks.peers.recovery import recovery_seconds
from benchmarks.peers.runners import RUNNERS, Runner
from benchmarks.peers.topics import make
from deploy.local.kafka import Kafka
from deploy.local.parts import kafka_jars
from deploy.local.places import parts_folder

#: The sources are there from the first run to the last; what was deleted must leave the disk soon.
BROKER = {"log.segment.delete.delay.ms": "1000", "log.retention.ms": "-1", "log.cleaner.enable": "false"}
#: Events for a slow runner.
SHORT = 20_000
LARGE, SMALL, MANY, RECOVERY = "large", "small", "many", "recovery"


class Sizes(NamedTuple):
    """How much is measured."""

    events: int
    cases: int
    kept_cases: int
    rounds: int
    small_rounds: int
    case_rounds: int


DEFAULT = Sizes(events=100_000, cases=500_000, kept_cases=100_000, rounds=3, small_rounds=2, case_rounds=1)
QUICK = Sizes(events=10_000, cases=5_000, kept_cases=5_000, rounds=1, small_rounds=1, case_rounds=1)


class Bench:
    """One broker, and what has been measured on it."""

    def __init__(self, broker: str, runners: Sequence[Runner]) -> None:
        self._broker = broker
        self._runners = runners
        self.start: list[Figure] = []
        self.figures: list[Figure] = []
        self.recovery: dict[str, list[float]] = {}

    def put(self, load: Load) -> tuple[Load, Outcome]:
        """The load on a topic of its name, and what must come of it; small sets are also fetched one at a time."""
        make(self._broker, {load.name: {}})
        largest = produce(self._broker, load.name, load)
        put = replace(load, fetch_bytes=largest) if load.set_records == SMALL_SET else load
        return put, expected(load.partitions)

    def measure_start(self, load: Load, rounds: int) -> None:
        """Start-up: all of the way, for one record a partition."""
        put, wanted = self.put(load)
        for number in range(rounds):
            self.start += [measure(self._broker, runner, put, number, wanted) for runner in self._runners]
            say(f"start-up, round {number + 1}: {figures_in_short(self.start[-len(self._runners) :])}")

    def measure(self, load: Load, rounds: int) -> None:
        """Every runner in turn, once a round; slow ones on a short part."""
        runners = [runner for runner in self._runners if load.name != MANY or runner.takes_long_loads]
        whole = self.put(load)
        has_slow = any(runner.is_slow for runner in runners)
        part = self.put(load.head(f"{load.name}-short", SHORT)) if has_slow else whole
        for number in range(rounds):
            for runner in runners:
                put, wanted = part if runner.is_slow else whole
                figure = measure(self._broker, runner, put, number, wanted)
                self.figures.append(renamed(figure, load.name))
                say(f"{load.name}, round {number + 1}: {figures_in_short([figure])}")

    def measure_recovery(self, cases: int) -> None:
        """A kill each."""
        for runner in self._runners:
            if runner.takes_long_loads:
                self.recovery[runner.name] = [recovery_seconds(self._broker, runner, cases)]
                say(f"recovery: {runner.name} {self.recovery[runner.name][0]:.1f} s")


def renamed(figure: Figure, load: str) -> Figure:
    """The figure of a short part, in the table of the whole."""
    return replace(figure, load=load)


def figures_in_short(figures: Sequence[Figure]) -> str:
    """For the terminal, during the run; start-up is included."""
    return "; ".join(
        f"{run.runner} {run.events / run.cpu_seconds:,.0f}/CPU s, {run.wall_seconds:.1f} s, {run.peak_mb:.0f} MB, "
        f"{run.states:,} states, {run.summaries:,} summaries, {run.verdict}"
        for run in figures
    )


def say(what: str) -> None:
    """A line, with how busy the machine is."""
    print(f"[load {os.getloadavg()[0]:.1f}] {what}", flush=True)


def loads(sizes: Sizes, names: Sequence[str]) -> Iterator[tuple[Load, int]]:
    """The loads asked for, and how many rounds of each; made when it is their turn."""
    if {LARGE, SMALL} & set(names):
        records = by_partition(practice(sizes.events))
        if LARGE in names:
            yield Load(LARGE, "Backlog, large fetches", records), sizes.rounds
        if SMALL in names:
            title = f"Small sets, {SMALL_SET} events a fetch and partition"
            yield Load(SMALL, title, records, set_records=SMALL_SET), sizes.small_rounds
    if MANY in names:
        records = by_partition(many_cases(sizes.cases, 2))
        yield Load(MANY, f"{sizes.cases:,} cases, 2 check-ins each", records), sizes.case_rounds


def conditions(sizes: Sizes, runners: Sequence[Runner], seconds: float, busy: float) -> str:
    """What a reader must know."""
    kafka = next(kafka_jars().glob("kafka_2*.jar")).stem.rpartition("-")[2]
    pinned = [line.split(" ")[0] for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if "==" in line]
    peers = [line for line in pinned if line.startswith(("quixstreams", "bytewax", "confluent-kafka"))]
    ours = [f"{name}=={version(name)}" for name in ("faust-streaming", "aiokafka", "confluent-kafka")]
    command = shlex.join(["python", "-m", "benchmarks.peers", *sys.argv[1:]])
    return (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs ({processor()}), "
        f"Python {platform.python_version()}, "
        f"Apache Kafka {kafka} (one node, heap 1g) on the same machine, {PARTITIONS} partitions, nothing compressed. "
        f"Alliance Monitor and script: {', '.join(ours)}; peers: {', '.join(peers)}. "
        f"{sizes.rounds} rounds ({sizes.small_rounds} with small sets, {sizes.case_rounds} with very many cases), "
        "runners in turn: "
        f"{', '.join(runner.name for runner in runners)}. {seconds / 60:.0f} minutes; load average of the machine "
        f"{busy:.1f} before, {os.getloadavg()[0]:.1f} after."
    )


def processor() -> str:
    """The name of the processor (Linux)."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def asked(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    options.add_argument("--quick", action="store_true", help="small sizes, one round: two to three minutes")
    options.add_argument("--write", action="store_true", help=f"renew {page.PAGE.name}")
    options.add_argument("--runners", nargs="+", default=[runner.name for runner in RUNNERS], metavar="RUNNER")
    options.add_argument("--loads", nargs="*", default=[LARGE, SMALL, MANY, RECOVERY], metavar="LOAD")
    for name in Sizes._fields:
        options.add_argument(f"--{name.replace('_', '-')}", type=int)
    return options.parse_args(arguments)


def main() -> None:
    """Everything, in a quarter of an hour."""
    options = asked(sys.argv[1:])
    chosen = {name: value for name in Sizes._fields if (value := getattr(options, name)) is not None}
    sizes = (QUICK if options.quick else DEFAULT)._replace(**chosen)
    runners = [runner for runner in RUNNERS if runner.name in options.runners]
    if any(runner.is_peer for runner in runners):
        peers_python()
    started, busy = monotonic(), os.getloadavg()[0]
    tables = []
    with tempfile.TemporaryDirectory(dir=parts_folder()) as data, Kafka(Path(data), heap="1g", properties=BROKER) as it:
        bench = Bench(it.bootstrap, runners)
        bench.measure_start(
            Load("start", "start-up", by_partition(practice(2_000))).head("start", PARTITIONS), sizes.rounds
        )
        for load, rounds in loads(sizes, options.loads):
            bench.measure(load, rounds)
            tables.append(page.table(page.Book(bench.start, bench.figures), load))
            print(f"\n{tables[-1]}\n", flush=True)
        if RECOVERY in options.loads:
            bench.measure_recovery(sizes.kept_cases)
            tables.append(page.recovery_table(bench.recovery, sizes.kept_cases))
    tables.append(page.start_table(page.Book(bench.start, [])))
    measured = "\n\n".join([conditions(sizes, runners, monotonic() - started, busy), *tables])
    print(f"\n{measured}")
    if options.write:
        page.write(measured)
    wrong = sorted({run.runner for run in (*bench.start, *bench.figures) if run.verdict != RIGHT})
    if wrong:
        raise SystemExit(
            f"Not right, so no figure of it is worth anything: {', '.join(wrong)}; see the outcomes above."
        )


if __name__ == "__main__":
    main()
