"""`alliance simulate`.

In: the size of a practice and a seed. Out: a file of events and a file with the truth about every planted rupture.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click


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
    """Make a practice with planted ruptures: events and a truth file."""
    from pipeline.simulation.practice import PracticeParameters
    from pipeline.simulation.practice import simulate as run
    from pipeline.simulation.stream import write_events, write_truth

    parameters = PracticeParameters(first_day=first_day.replace(tzinfo=UTC), seed=seed, weeks=weeks)
    simulation = run(replace(parameters, therapists=therapists, therapist_checkins=therapist_checkins))
    write_events(simulation, events)
    write_truth(simulation, truth)
    click.echo(f"{len(simulation.events)} events in {events}, {len(simulation.truth)} planted ruptures in {truth}")
