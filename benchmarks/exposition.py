"""Measures how long a page of `/metrics` takes: `make bench-exposition`.

In: a number of therapists. Out: milliseconds and megabytes on the terminal, for the exporter's own way and for the
library's.
Never: a test. Machines are noisy, so compare only figures of one run.

Each way and each size runs in its own process, because a process does not return memory that it once used.
"""

import argparse
import gzip
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from consumers.exporter.exposition import Exposition
from consumers.exporter.metrics import TherapistCollector
from consumers.exporter.state import ExporterState
from pipeline.runtime.http import GZIP_LEVEL
from schemas.instruments.definition import INGREDIENTS
from schemas.summaries import Day, Publication, TherapistSummary

TODAY = datetime(2026, 6, 30, 12, tzinfo=UTC)
ROUNDS = 5


def summary(number: int) -> TherapistSummary:
    """A busy therapist: 25 active cases, two weekdays in three with sessions over the last 90 days."""
    days: dict[date, Day] = {}
    for back in range(90):
        if (back + number) % 3:
            days[TODAY.date() - timedelta(days=back)] = Day(5, 4, int(back % 15 == 0), int(back % 40 == 0))
    return TherapistSummary(
        therapist_id=f"therapist-{number:06d}",
        team=f"team-{number % 40:02d}",
        version=number + 1,
        last_event_at=TODAY - timedelta(minutes=number % 600),
        active_cases=25,
        scored_cases=23,
        score_points=18.4,
        ingredient_points=dict.fromkeys(INGREDIENTS, 18.4),
        open_flag_cases={"warning": number % 3},
        oldest_unacknowledged_at=TODAY - timedelta(hours=5) if number % 5 == 0 else None,
        days=days,
        published=Publication(
            scored_cases=23,
            score_points=18.17,
            ingredient_points=dict.fromkeys(INGREDIENTS, 18.17 + number % 7 / 100),
            ingredient_scored_cases=dict.fromkeys(INGREDIENTS, 23),
        ),
    )


def exporter(therapists: int) -> tuple[Callable[[datetime], bytes], object]:
    """The block as the exporter writes it."""
    state, exposition = ExporterState(), Exposition()
    for number in range(therapists):
        row = summary(number)
        state.update_therapist(row.therapist_id, row)
        exposition.put(state.therapists[row.therapist_id])
    return exposition.block, state


def library(therapists: int) -> tuple[Callable[[datetime], bytes], object]:
    """The same figures through the library."""
    state = ExporterState()
    for number in range(therapists):
        row = summary(number)
        state.update_therapist(row.therapist_id, row)
    now = [TODAY]
    registry = CollectorRegistry()
    registry.register(TherapistCollector(state, lambda: now[0]))

    def produce(at: datetime) -> bytes:
        now[0] = at
        return generate_latest(registry)

    return produce, state


WAYS = {"exporter": exporter, "library": library}


def milliseconds(act: Callable[[], object]) -> float:
    """How long the call takes."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def measure(way: str, therapists: int) -> None:
    """Print one line."""
    produce, kept = WAYS[way](therapists)
    produce(TODAY)
    times = [milliseconds(lambda: produce(TODAY)) for _ in range(ROUNDS)]
    page = produce(TODAY)
    packing = min(milliseconds(lambda: gzip.compress(page, GZIP_LEVEL)) for _ in range(ROUNDS))
    midnight = milliseconds(lambda: produce(TODAY + timedelta(days=1)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    series = page.count(b"\n") - page.count(b"\n#")
    print(
        f"{therapists:>7,} therapists, {series:>7,} series, {way}: page {min(times):5.0f} ms (worst {max(times):.0f}),"
        f" first of a day {midnight:6.0f} ms, gzip {packing:4.0f} ms, {len(page) / 1e6:5.1f} MB, peak {peak:.0f} MB",
        flush=True,
    )
    del kept


def main() -> None:
    """Measure every size in both ways."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--therapists", type=int, nargs="*", default=[1_000, 10_000, 30_000])
    arguments.add_argument("--way", choices=WAYS)
    options = arguments.parse_args()
    if options.way:
        for therapists in options.therapists:
            measure(options.way, therapists)
        return
    print(f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}", flush=True)
    for therapists in options.therapists:
        for way in WAYS:
            command = [sys.executable, "-m", "benchmarks.exposition", "--way", way, "--therapists", str(therapists)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
