"""`alliance backtest EVENTS.jsonl --flags OUT.jsonl`.

In: a file of CloudEvents, in any order. Out: the flags that the detectors would have raised, one JSON object a line,
and a summary to decide with.
"""

from pathlib import Path

import click

from pipeline.commands.setup import Mendable, effective_settings, known_instruments, known_prior

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("events", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--flags", type=FILE, required=True, help="Write the flags here, one JSON object a line.")
@click.option(
    "--sensitivity", type=click.FloatRange(0.2, 5.0), default=1.0, show_default=True, help="Scales all limits."
)
@click.option("--plots", type=click.Path(file_okay=False, path_type=Path), help="Draw flagged cases into this folder.")
def backtest(events: Path, flags: Path, sensitivity: float, plots: Path | None) -> None:
    """Run the detectors over a history, without Kafka: flags, and what they would have cost in false alarms."""
    from rich.console import Console
    from rich.progress import open as open_with_progress

    from pipeline.backtest import backtest as run
    from pipeline.backtest import summary_text, write_flags
    from pipeline.plots import PlotsUnavailable, plot_flagged

    settings = effective_settings()
    console = Console(stderr=True)
    with open_with_progress(
        events, "rb", description="reading", console=console, disable=not console.is_terminal
    ) as file:
        lines = [line for line in file if line.strip()]
    result = run(lines, known_instruments(settings), known_prior(settings), sensitivity)
    write_flags(result, flags)
    click.echo(summary_text(result))
    if plots is not None:
        try:
            click.echo(f"{len(plot_flagged(result, plots))} pictures in {plots}")
        except PlotsUnavailable as error:
            raise Mendable(str(error)) from None
