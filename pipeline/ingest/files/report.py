"""What a person sees of `alliance send`, and the file of bad lines.

In: refusals and progress, in the order of the file. Out: lines and a bar on the terminal, a file with every bad line.
Never: a value of the file on the terminal (the file of bad lines holds them: only its owner may read it); an end of the
sending because nobody listens.
"""

import base64
import csv
import io
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Protocol, Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pipeline.core.acceptance import Refusal
from pipeline.ingest.files.csv_mapping import CsvMapping, plain_encoding
from pipeline.ingest.files.sender import BadFileError, Outcome
from schemas.refusals import SENTENCES, Reason

MOST_TOLD = 20


class BadFile(Protocol):
    """Where bad lines go: a file that is made for the first of them."""

    def header(self, raw: bytes) -> None:
        """The line of a CSV file that names its columns; comes before any bad line."""

    def add(self, line: int, raw: bytes, refusal: Refusal) -> None:
        """Keep a bad line with its number and the reason; raises `BadFileError`."""

    def close(self) -> None:
        """Nothing more comes."""


class _NewFile:
    """A file that was not there before, for its owner only: it holds what clients said. Made at the first writing."""

    def __init__(self, path: Path) -> None:
        if os.path.lexists(path):
            raise BadFileError(f"{path} is there already; name another file for the bad lines, or remove it")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise BadFileError(f"{path} cannot be made; name another file for the bad lines")
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, content: bytes) -> None:
        """All of it is with the operating system when this returns; raises `BadFileError`."""
        try:
            if self._file is None:
                self._path.touch(mode=0o600, exist_ok=False)
                self._file = self._path.open("wb")
            self._file.write(content)
            self._file.flush()
        except OSError as error:
            raise BadFileError(f"The bad lines cannot be written to {self._path} ({error.strerror})") from None

    def close(self) -> None:
        """Nothing more comes; what could not be written has been said."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()


class BadJson(_NewFile):
    """One JSON object a line: `line`, `reason`, `detail`, `sentence`, and the line itself as `text`."""

    def header(self, raw: bytes) -> None:
        """There is none."""

    def add(self, line: int, raw: bytes, refusal: Refusal) -> None:
        """Keep a bad line; what is not UTF-8 goes in as `base64`."""
        content: dict[str, object] = {"line": line, **_words(refusal)}
        text = raw.removesuffix(b"\n").removesuffix(b"\r")
        try:
            content["text"] = text.decode()
        except UnicodeDecodeError:
            content["base64"] = base64.b64encode(text).decode()
        self.write(msgspec.json.encode(content) + b"\n")


class BadCsv(_NewFile):
    """The bad rows as they stand in the file, after four columns of ours; mended, the same mapping sends them."""

    def __init__(self, path: Path, mapping: CsvMapping) -> None:
        super().__init__(path)
        self._form = mapping.file
        self._header = b""

    def header(self, raw: bytes) -> None:
        """Stands before the first bad row."""
        self._header = self._row(["alliance_line", "alliance_reason", "alliance_detail", "alliance_sentence"], raw)

    def add(self, line: int, raw: bytes, refusal: Refusal) -> None:
        """Keep a bad row."""
        self.write(self._header + self._row([str(line), *_words(refusal).values()], raw))
        self._header = b""

    def _row(self, cells: list[str], raw: bytes) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=self._form.delimiter, lineterminator=self._form.delimiter).writerow(cells)
        front = text.getvalue().encode(plain_encoding(self._form.encoding), errors="replace")
        return front + raw + (b"" if raw.endswith((b"\n", b"\r")) else b"\n")


class _Console(Console):
    """On a broken pipe rich's own ends the process."""

    def on_broken_pipe(self) -> None:
        """An error as any other."""
        raise BrokenPipeError


def forget(stream: IO[str]) -> None:
    """Nobody takes what is written here: what still is, and what Python flushes as it ends, goes nowhere."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class ConsoleReport:
    """Tells a person on stderr what becomes of the lines; the bar is there only on a terminal."""

    def __init__(self, path: Path, bad: BadFile | None = None, console: Console | None = None) -> None:
        self._console = console or _Console(stderr=True)
        self._bad = bad
        self._told = 0
        self._untold: Counter[Reason] = Counter()
        self._bar = progress_bar(self._console)
        self._task = self._bar.add_task("sending", total=path.stat().st_size or None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._bad is not None:
            self._bad.close()
        for reason, count in self._untold.most_common():
            self._say(f"and {count} more: {reason.value}. {SENTENCES[reason]}")

    def header(self, raw: bytes) -> None:
        """For the file of bad lines."""
        if self._bad is not None:
            self._bad.header(raw)

    def refused(self, line: int, raw: bytes, refusal: Refusal) -> None:
        """A bad line: into the file of bad lines; the first ones onto the terminal too, the others counted."""
        if self._bad is not None:
            self._bad.add(line, raw, refusal)
        if self._told == MOST_TOLD:
            self._untold[refusal.reason] += 1
            return
        self._told += 1
        words = _words(refusal)
        self._say(f"line {line}: {words['reason']} ({words['detail']}). {words['sentence']}")

    def progress(self, bytes_done: int, outcome: Outcome) -> None:
        """So much of the file is settled."""
        counts = f"sent {outcome.sent}, refused {outcome.refused_count}"
        self._bar.update(self._task, completed=bytes_done, description=counts)

    def _say(self, text: str) -> None:
        try:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        except OSError:  # nobody listens any longer, or the disk is full
            self._console.quiet = True
            forget(self._console.file)


def progress_bar(console: Console) -> Progress:
    """The bar of everything that is sent; it is there only on a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def bad_file(path: Path, mapping: CsvMapping | None) -> BadFile:
    """A new file for bad lines, in the form of the file they come from; raises `BadFileError`."""
    return BadJson(path) if mapping is None else BadCsv(path, mapping)


def _words(refusal: Refusal) -> dict[str, str]:
    return {"reason": refusal.reason.value, "detail": refusal.detail, "sentence": SENTENCES[refusal.reason]}
