"""`alliance simulate`.

In: the size of a practice and a seed. Out: a file of events, and a file with the truth about every planted rupture; a
line that also says how many events are in the future and would be refused today.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from alliance.commands.context import OperatorError
from alliance.commands.files import check_output, write_output

#: Years that events may have; the last ten of the calendar are left for the weeks that follow the first day.
FIRST_YEARS = range(1900, 9990)


@click.command()
@click.option(
    "--events", type=click.Path(dir_okay=False, path_type=Path), default=Path("events.jsonl"), show_default=True
)
@click.option(
    "--truth", type=click.Path(dir_okay=False, path_type=Path), default=Path("truth.jsonl"), show_default=True
)
@click.option("--therapists", type=click.IntRange(1, 2000), default=40, show_default=True)
@click.option("--weeks", type=click.IntRange(0, 520), default=26, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True)
@click.option("--first-day", type=click.DateTime(["%Y-%m-%d"]), default="2026-01-05", show_default=True)
@click.option("--therapist-checkins/--no-therapist-checkins", default=False, help="Therapists answer too.")
def simulate(
    events: Path, truth: Path, therapists: int, weeks: int, seed: int, first_day: datetime, therapist_checkins: bool
) -> None:
    """Simulate a practice with planted ruptures: a file of events and a truth file."""
    from alliance.simulation.practice import PracticeParameters
    from alliance.simulation.practice import simulate as run
    from alliance.simulation.stream import write_events, write_truth

    if first_day.year not in FIRST_YEARS:
        raise OperatorError(f"--first-day is outside {FIRST_YEARS[0]} to {FIRST_YEARS[-1]}. Give a day in these years.")
    if events.resolve() == truth.resolve():
        raise OperatorError(f"--events and --truth are the same file, {truth}. Name two.")
    check_output("--events", events)
    check_output("--truth", truth)
    parameters = PracticeParameters(first_day=first_day.replace(tzinfo=UTC), seed=seed, weeks=weeks)
    simulation = run(replace(parameters, therapists=therapists, therapist_checkins=therapist_checkins))
    write_output("--events", events, lambda file: write_events(simulation, file))
    write_output("--truth", truth, lambda file: write_truth(simulation, file))
    closing_line = f"{len(simulation.events)} events in {events}, {len(simulation.truth)} planted ruptures in {truth}"
    click.echo(closing_line + of_the_future(simulation.events, datetime.now(UTC)))


def of_the_future(events: Sequence[dict[str, Any]], now: datetime) -> str:
    """How many events, ordered by time, are after now, and until when."""
    times = [event["time"] for event in events]
    ahead = len(times) - bisect_right(times, f"{now:%Y-%m-%dT%H:%M:%SZ}")
    if not ahead:
        return ""
    return (
        f"\n{ahead} of {len(times)} events are in the future and would be refused today, the last one on "
        f"{times[-1][:10]}; an earlier --first-day makes a history that can be sent."
    )
