"""Files that commands read and write: checked before the work, and written completely or not at all.

In: paths from the command line. Out: complete files and nothing half-written beside them; `OperatorError` for a wrong
path.
Never: replace an input with an output; leave half a file where a complete one was.
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
    """Before anything is read, make sure that the target is not an input and can be written; raises `OperatorError`."""
    try:
        for source in inputs:
            if target.exists() and source.exists() and target.samefile(source):
                raise OperatorError(
                    f"{option} {target} is the same file as the input {source}. Name another file to write."
                )
        place = _place(target)
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(0, "it is write-protected")
        if _is_replaced(place):
            _touch(_part(place))
    except OSError as error:
        raise unwritable(option, target, error) from None


def check_folder(option: str, folder: Path) -> None:
    """Before anything is read, make sure that files can be written into this folder; raises `OperatorError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _touch(_part(folder / "any"))
    except OSError as error:
        raise unwritable(option, folder, error) from None


def write_output(option: str, target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a complete file, or leave the old one as it was and raise `OperatorError`."""
    try:
        with _replacing(_place(target)) as file:
            write(file)
    except OSError as error:
        raise unwritable(option, target, error) from None


@contextmanager
def _replacing(place: Path) -> Iterator[BinaryIO]:
    """A file beside the place, which replaces it at the end; a device or a pipe is written to directly."""
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
    """Where the bytes will be: a symbolic link stays a link."""
    return target if target.parts[:2] == ("/", "dev") else target.resolve()


def _is_replaced(place: Path) -> bool:
    return place.parts[:2] != ("/", "dev") and (place.is_file() or not place.exists())


def _part(place: Path) -> Path:
    return place.parent / f".alliance-{os.getpid()}.part"


def _touch(part: Path) -> None:
    part.touch()
    part.unlink()


def unwritable(option: str, target: Path, error: OSError) -> OperatorError:
    """The error for an output that cannot be written."""
    return OperatorError(
        f"{option} {target} cannot be written ({error.strerror}). Name a folder that exists and that you may write to."
    )
