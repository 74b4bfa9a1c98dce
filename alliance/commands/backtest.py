"""`alliance backtest EVENTS.jsonl --flags OUT.jsonl`.

In: a file of CloudEvents, in any order. Out: the flags that the detectors would have raised, one JSON object a line,
a summary to decide with, and pictures if wanted. `alliance calibrate` reads its history by the same functions.
Never: a tuning of the rules; they are run as they are in force, or scaled as a whole.
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
@click.option("--flags", type=FILE, required=True, help="Write the flags here, one JSON object a line.")
@click.option(
    "--sensitivity", type=click.FloatRange(0.2, 5.0), default=1.0, show_default=True, help="Scales all limits."
)
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    help="Draw flagged cases into this folder, in place of the pictures of an earlier run.",
)
@click.option(
    "--plots-most", type=click.IntRange(min=1), default=20, show_default=True, help="Draw at most this many cases."
)
def backtest(events: Path, flags: Path, sensitivity: float, plots: Path | None, plots_most: int) -> None:
    """Run the detectors over a history, without Kafka: flags, and what they would have cost in false alarms."""
    from alliance.evaluation.backtest import backtest as run
    from alliance.evaluation.backtest import summary_text, write_flags

    if not isfinite(sensitivity):
        raise OperatorError("--sensitivity is not a number. Name one from 0.2 to 5.")
    settings = effective_settings()
    instruments, prior = known_instruments(settings), known_prior(settings)
    if plots is not None:
        _check_plots(plots)
    check_output("--flags", flags, events, *([Path(settings.prior)] if settings.prior else []))
    result = read_history(events, lambda lines: run(lines, instruments, prior, sensitivity))
    refuse_nothing(events, result.histories)
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
    """Before anything is read: pictures can be drawn and written; or one sentence."""
    from alliance.evaluation.plots import PlotsUnavailable, pyplot

    try:
        pyplot()
    except PlotsUnavailable as error:
        raise OperatorError(str(error)) from None
    check_folder("--plots", folder)


def read_history(path: Path, fold: Callable[[Iterable[bytes]], Found]) -> Found:
    """What `fold` makes of the lines of a file, or one sentence; a bar on the terminal meanwhile."""
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
            f"The history {path} cannot be read ({error.strerror}). Name a file that is there and may be read."
        ) from None


def refuse_nothing(path: Path, histories: "Histories") -> None:
    """One sentence when a history holds no line that was accepted."""
    from alliance.evaluation.backtest import counted

    if not histories.lines:
        raise OperatorError(f"{path} holds no event. Name a file with one CloudEvent a line.")
    if histories.has_nothing_accepted:
        reasons = ", ".join(
            f"{reason} {count}, first in line {histories.first_refused[reason]}"
            for reason, count in histories.refused.most_common()
        )
        raise OperatorError(
            f"Nothing in {path} was accepted: {counted(histories.lines, 'line')}, all refused ({reasons}). "
            "Mend them as docs/integrators.md says for each reason."
        )
