"""`alliance backtest EVENTS.jsonl --flags OUT.jsonl`.

In: a file of CloudEvents, in any order. Out: the flags that the detectors would have raised, one JSON object a line,
a summary to decide with, and pictures if wanted. `alliance calibrate` reads and writes its files by the same functions.
Never: an output that takes the place of an input; half a file where a whole one was.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import click

from pipeline.commands.setup import Mendable, effective_settings, known_instruments, known_prior

if TYPE_CHECKING:
    from pipeline.backtest import Histories

Found = TypeVar("Found")

HISTORY = click.Path(exists=True, dir_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


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
    from pipeline.backtest import backtest as run
    from pipeline.backtest import summary_text, write_flags

    if not isfinite(sensitivity):
        raise Mendable("--sensitivity is not a number. Name one from 0.2 to 5.")
    settings = effective_settings()
    instruments, prior = known_instruments(settings), known_prior(settings)
    if plots is not None:
        check_folder("--plots", plots)
    check_output("--flags", flags, events, *([Path(settings.prior)] if settings.prior else []))
    result = read_history(events, lambda lines: run(lines, instruments, prior, sensitivity))
    refuse_nothing(events, result.histories)
    write_output("--flags", flags, lambda file: write_flags(result, file))
    click.echo(summary_text(result))
    if plots is not None:
        from pipeline.plots import plot_flagged

        try:
            drawn = len(plot_flagged(result, plots, plots_most))
        except OSError as error:
            raise _unwritable("--plots", plots, error) from None
        more = "" if drawn == result.flagged_cases else f"; --plots-most {result.flagged_cases} for all"
        click.echo(f"\n{drawn} of {result.flagged_cases} flagged cases drawn in {plots}{more}")


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
        raise Mendable(
            f"The history {path} cannot be read ({error.strerror}). Name a file that is there and may be read."
        ) from None


def refuse_nothing(path: Path, histories: "Histories") -> None:
    """One sentence when a history holds no line that was accepted."""
    from pipeline.backtest import counted

    if not histories.lines:
        raise Mendable(f"{path} holds no event. Name a file with one CloudEvent a line.")
    if histories.has_nothing_accepted:
        reasons = ", ".join(
            f"{reason} {count}, first in line {histories.first_refused[reason]}"
            for reason, count in histories.refused.most_common()
        )
        raise Mendable(
            f"Nothing in {path} was accepted: {counted(histories.lines, 'line')}, all refused ({reasons}). "
            "Mend them as docs/events.md says for each reason."
        )


def check_output(option: str, target: Path, *inputs: Path) -> None:
    """Before anything is read: the target is none of the inputs and can be written; or one sentence."""
    try:
        for one in inputs:
            if target.exists() and one.exists() and target.samefile(one):
                raise Mendable(f"{option} {target} is the same file as the input {one}. Name another file to write.")
        place = _place(target)
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(0, "it is write-protected")
        if _is_replaced(place):
            part = _part(place)
            part.touch()
            part.unlink()
    except OSError as error:
        raise _unwritable(option, target, error) from None


def check_folder(option: str, folder: Path) -> None:
    """Before anything is read: pictures can be drawn, and written into this folder; or one sentence."""
    from pipeline.plots import PlotsUnavailable, pyplot

    try:
        pyplot()
        folder.mkdir(parents=True, exist_ok=True)
        part = _part(folder / "any")
        part.touch()
        part.unlink()
    except PlotsUnavailable as error:
        raise Mendable(str(error)) from None
    except OSError as error:
        raise _unwritable(option, folder, error) from None


def write_output(option: str, target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a whole file or leave what was there, and then say why in one sentence."""
    try:
        with _replacing(_place(target)) as file:
            write(file)
    except OSError as error:
        raise _unwritable(option, target, error) from None


@contextmanager
def _replacing(place: Path) -> Iterator[BinaryIO]:
    """A file beside the place, which it takes at the end; a device or a pipe is written to as it is."""
    if not _is_replaced(place):
        with place.open("wb") as file:
            yield file
        return
    part = _part(place)
    try:
        with part.open("wb") as file:
            if place.exists():
                shutil.copymode(place, part)
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _place(target: Path) -> Path:
    """Where the bytes will be: a link stays a link."""
    return target if target.parts[:2] == ("/", "dev") else target.resolve()


def _is_replaced(place: Path) -> bool:
    return place.parts[:2] != ("/", "dev") and (place.is_file() or not place.exists())


def _part(place: Path) -> Path:
    return place.parent / f".alliance-{os.getpid()}.part"


def _unwritable(option: str, target: Path, error: OSError) -> Mendable:
    return Mendable(
        f"{option} {target} cannot be written ({error.strerror}). Name a place that is there and may be written to."
    )
