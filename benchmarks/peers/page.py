"""The figures as tables, for the terminal and for docs/benchmarks/engine.md.

In: figures of one run of the benchmark. Out: Markdown.
Never: a ratio of figures of different rounds; a figure of a wrong outcome without the word.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.peers.bench import Figure
from benchmarks.peers.loads import Load
from benchmarks.peers.outcome import RIGHT
from benchmarks.peers.runners import RUNNERS, SCRIPT
from deploy.local.places import ROOT

PAGE = ROOT / "docs" / "benchmarks" / "engine.md"
BEGIN = "<!-- measured by `make bench-peers BENCH_ARGS=--write`: begin -->"
END = "<!-- measured by `make bench-peers BENCH_ARGS=--write`: end -->"
TITLES = {runner.name: runner.title for runner in RUNNERS}
#: Less than this cannot be distinguished from the start-up.
LEAST_SECONDS = 0.2


class Book:
    """All figures of a run, with the start-up costs to take off."""

    def __init__(self, start: Iterable[Figure], figures: Iterable[Figure]) -> None:
        self._figures = list(figures)
        of_start = list(start)
        self.start_cpu = _medians(of_start, lambda run: run.cpu_seconds)
        self.start_wall = _medians(of_start, lambda run: run.wall_seconds)

    def of(self, load: str) -> dict[str, list[Figure]]:
        """Figures of a load by runner, in rounds."""
        found: dict[str, list[Figure]] = {}
        for run in self._figures:
            if run.load == load:
                found.setdefault(run.runner, []).append(run)
        return found

    def per_core(self, run: Figure) -> float:
        """Events per CPU second of the runner's processes, the start-up taken off."""
        return _rate(run.events, run.cpu_seconds - self.start_cpu.get(run.runner, 0.0))

    def per_second(self, run: Figure) -> float:
        """Events per second of the clock, the start-up taken off."""
        return _rate(run.events, run.wall_seconds - self.start_wall.get(run.runner, 0.0))

    def ratios(self, runner: str, load: str) -> list[float]:
        """To the script, per core, each in its own round."""
        found = self.of(load)
        script = {run.round: self.per_core(run) for run in found.get(SCRIPT.name, [])}
        return [self.per_core(run) / script[run.round] for run in found.get(runner, []) if run.round in script]


def _rate(events: int, seconds: float) -> float:
    """Events a second; not a number when the time is lost in the start-up."""
    return events / seconds if seconds >= LEAST_SECONDS else math.nan


def _medians(figures: Iterable[Figure], of: Callable[[Figure], float]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for run in figures:
        found.setdefault(run.runner, []).append(of(run))
    return {runner: statistics.median(values) for runner, values in found.items()}


def table(book: Book, load: Load) -> str:
    """A load's table."""
    lines = [
        f"**{load.title}** ({len(load):,} events)",
        "",
        "| runner | events per CPU second | to the script | events/s (clock) | peak RSS MB | state records / events "
        "| outcome |",
        "|---|---|---|---|---|---|---|",
    ]
    for runner, figures in book.of(load.name).items():
        done = figures[-1].events
        count = f" ({done:,} events)" if done != len(load) else ""
        cells = (
            TITLES[runner] + count,
            spread([book.per_core(run) for run in figures], whole),
            spread(book.ratios(runner, load.name), two_places),
            spread([book.per_second(run) for run in figures], whole),
            f"{max(run.peak_mb for run in figures):,.0f}",
            two_places(figures[-1].states / done) if figures[-1].states else "on disk",
            outcomes(figures),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def start_table(book: Book) -> str:
    """What was taken off."""
    cells = ", ".join(
        f"{TITLES[runner]} {book.start_cpu[runner]:.1f} s CPU, {book.start_wall[runner]:.1f} s clock"
        for runner in book.start_cpu
    )
    return f"Start-up taken off: {cells}."


def recovery_table(seconds: Mapping[str, Sequence[float]], cases: int) -> str:
    """From the kill to the first newly processed event."""
    lines = [
        f"**`kill -9` and restart with {cases:,} cases of state** (session timeout 6 s): seconds from the kill and "
        "restart to the first new summary on the log",
        "",
        "| runner | seconds |",
        "|---|---|",
    ]
    lines += [f"| {TITLES[runner]} | {spread(values, one_place)} |" for runner, values in seconds.items()]
    return "\n".join(lines)


def spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Median and range."""
    if not values or any(map(math.isnan, values)):
        return "too short to tell"
    middle = show(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({show(min(values))}–{show(max(values))})"


def whole(value: float) -> str:
    """Thousands with commas, three digits that count."""
    return f"{round(value, -2 if value >= 10_000 else -1):,.0f}"


def one_place(value: float) -> str:
    """12.3"""
    return f"{value:.1f}"


def two_places(value: float) -> str:
    """1.23"""
    return f"{value:.2f}"


def outcomes(figures: Sequence[Figure]) -> str:
    """`right` when all were, else what was wrong."""
    wrong = [run.verdict for run in figures if run.verdict != RIGHT]
    return wrong[0] if wrong else RIGHT


def write(measured: str, page: Path = PAGE) -> None:
    """Renew the part of the page between the markers."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{measured}\n\n{END}{after}", encoding="utf-8")
