"""Files that commands read and write: asked for before the work, whole or not at all.

In: paths from the command line. Out: whole files and nothing half-written beside them; one sentence for a wrong path.
Never: an output that takes the place of an input; half a file where a whole one was.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from alliance.commands.context import OperatorError

HISTORY = click.Path(exists=True, dir_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


def check_output(option: str, target: Path, *inputs: Path) -> None:
    """Before anything is read: the target is none of the inputs and can be written; or one sentence."""
    try:
        for one in inputs:
            if target.exists() and one.exists() and target.samefile(one):
                raise OperatorError(
                    f"{option} {target} is the same file as the input {one}. Name another file to write."
                )
        place = _place(target)
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(0, "it is write-protected")
        if _is_replaced(place):
            _try(_part(place))
    except OSError as error:
        raise unwritable(option, target, error) from None


def check_folder(option: str, folder: Path) -> None:
    """Before anything is read: files can be written into this folder; or one sentence."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _try(_part(folder / "any"))
    except OSError as error:
        raise unwritable(option, folder, error) from None


def write_output(option: str, target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a whole file or leave what was there, and then say why in one sentence."""
    try:
        with _replacing(_place(target)) as file:
            write(file)
    except OSError as error:
        raise unwritable(option, target, error) from None


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


def _try(part: Path) -> None:
    part.touch()
    part.unlink()


def unwritable(option: str, target: Path, error: OSError) -> OperatorError:
    """The sentence for an output that cannot be written."""
    return OperatorError(
        f"{option} {target} cannot be written ({error.strerror}). Name a place that is there and may be written to."
    )
