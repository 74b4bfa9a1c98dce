"""`alliance backtest EVENTS.jsonl --flags OUT.jsonl`.

In: a file of CloudEvents, in any order. Out: the flags that the detectors would have raised, one JSON object in each
line; a summary to decide with; pictures on request. `alliance calibrate` reads its history with the same functions.
Never: tune a single rule; the rules run as they are, or are scaled together.
"""

from collections.abc import Callable, Iterable
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from alliance.commands.context import OperatorError, effective_settings, known_instruments, known_prior
from alliance.commands.files import FILE, HISTORY, check_folder, check_output, unwritable, write_output

if TYPE_CHECKING:
    from alliance.evaluation.backtest import Histories

Found = TypeVar("Found")


@click.command()
@click.argument("events", type=HISTORY)
@click.option("--flags", type=FILE, required=True, help="Write the flags here, one JSON object in each line.")
@click.option(
    "--sensitivity", type=click.FloatRange(0.2, 5.0), default=1.0, show_default=True, help="Scales all limits."
)
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    help="Draw flagged cases into this folder, replacing the pictures of an earlier run.",
)
@click.option(
    "--plots-most", type=click.IntRange(min=1), default=20, show_default=True, help="Draw at most this many cases."
)
def backtest(events: Path, flags: Path, sensitivity: float, plots: Path | None, plots_most: int) -> None:
    """Run the detectors over a history, without Kafka: the flags, and the expected false alarms among them."""
    from alliance.evaluation.backtest import backtest as run
    from alliance.evaluation.backtest import summary_text, write_flags

    if not isfinite(sensitivity):
        raise OperatorError("--sensitivity is not a number. Give a number from 0.2 to 5.")
    settings = effective_settings()
    instruments, prior = known_instruments(settings), known_prior(settings)
    if plots is not None:
        _check_plots(plots)
    check_output("--flags", flags, events, *([Path(settings.prior)] if settings.prior else []))
    result = read_history(events, lambda lines: run(lines, instruments, prior, sensitivity))
    require_accepted(events, result.histories)
    write_output("--flags", flags, lambda file: write_flags(result, file))
    click.echo(summary_text(result))
    if plots is not None:
        from alliance.evaluation.plots import plot_flagged

        try:
            drawn = len(plot_flagged(result, plots, plots_most))
        except OSError as error:
            raise unwritable("--plots", plots, error) from None
        more = "" if drawn == result.flagged_cases else f"; --plots-most {result.flagged_cases} for all"
        click.echo(f"\n{drawn} of {result.flagged_cases} flagged cases drawn in {plots}{more}")


def _check_plots(folder: Path) -> None:
    """Before anything is read, make sure that pictures can be drawn and written; raises `OperatorError`."""
    from alliance.evaluation.plots import PlotsUnavailable, pyplot

    try:
        pyplot()
    except PlotsUnavailable as error:
        raise OperatorError(str(error)) from None
    check_folder("--plots", folder)


def read_history(path: Path, fold: Callable[[Iterable[bytes]], Found]) -> Found:
    """The result of `fold` over the lines of a file, with a progress bar on a terminal; raises `OperatorError`."""
    from rich.console import Console
    from rich.progress import open as open_with_progress

    console = Console(stderr=True)
    try:
        with open_with_progress(
            path, "rb", description="reading", console=console, disable=not console.is_terminal
        ) as file:
            return fold(file)
    except OSError as error:
        raise OperatorError(
            f"The history {path} cannot be read ({error.strerror}). Name a file that exists and that you may read."
        ) from None


def require_accepted(path: Path, histories: "Histories") -> None:
    """Raise `OperatorError` if no line of the history was accepted."""
    from alliance.evaluation.backtest import counted

    if not histories.lines:
        raise OperatorError(f"{path} has no events. Name a file with one CloudEvent in each line.")
    if histories.has_nothing_accepted:
        reasons = ", ".join(
            f"{reason} {count}, first in line {histories.first_refused[reason]}"
            for reason, count in histories.refused.most_common()
        )
        raise OperatorError(
            f"Nothing in {path} was accepted: {counted(histories.lines, 'line')}, all refused ({reasons}). "
            "Correct them; docs/integrators.md says how for each reason."
        )
