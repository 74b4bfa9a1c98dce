"""What a person sees of `alliance send`, and the file of bad lines.

In: refusals and progress, in the order of the file. Out: lines and a bar on the terminal, a file with every bad line.
Never: a value of the file on the terminal (the file of bad lines has them, and only its owner may read it); stop the
sending because the terminal or pipe is gone.
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
from pipeline.ingest.files.sender import BadLinesError, Outcome
from schemas.refusals import SENTENCES, Reason

#: How many refused lines are shown; the others are counted.
MOST_SHOWN = 20


class BadLines(Protocol):
    """Where bad lines go: a file that is made for the first of them."""

    def header(self, raw: bytes) -> None:
        """The line of a CSV file that names its columns; comes before any bad line."""

    def add(self, line: int, raw: bytes, refusal: Refusal) -> None:
        """Keep a bad line with its number and the reason; raises `BadLinesError`."""

    def close(self) -> None:
        """There are no more lines."""


class _NewFile:
    """A new file that only its owner may read, because it holds what clients said. Made at the first writing."""

    def __init__(self, path: Path) -> None:
        if os.path.lexists(path):
            raise BadLinesError(f"{path} exists already; name another file for the bad lines, or remove it")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise BadLinesError(f"{path} cannot be made; name another file for the bad lines")
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, content: bytes) -> None:
        """Write, and hand everything to the operating system; raises `BadLinesError`."""
        try:
            if self._file is None:
                self._path.touch(mode=0o600, exist_ok=False)
                self._file = self._path.open("wb")
            self._file.write(content)
            self._file.flush()
        except OSError as error:
            raise BadLinesError(f"The bad lines cannot be written to {self._path} ({error.strerror})") from None

    def close(self) -> None:
        """There are no more lines. What could not be written was reported by `write`."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()


class BadJsonLines(_NewFile):
    """One JSON object for each bad line: `line`, `reason`, `detail`, `sentence`, and the line itself as `text`."""

    def header(self, raw: bytes) -> None:
        """JSON lines have no header."""

    def add(self, line: int, raw: bytes, refusal: Refusal) -> None:
        """Keep a bad line; one that is not UTF-8 is kept as `base64`."""
        content: dict[str, object] = {"line": line, **_words(refusal)}
        text = raw.removesuffix(b"\n").removesuffix(b"\r")
        try:
            content["text"] = text.decode()
        except UnicodeDecodeError:
            content["base64"] = base64.b64encode(text).decode()
        self.write(msgspec.json.encode(content) + b"\n")


class BadCsvRows(_NewFile):
    """The unchanged bad rows after four added columns; once corrected, the same mapping sends them."""

    def __init__(self, path: Path, mapping: CsvMapping) -> None:
        super().__init__(path)
        self._format = mapping.file
        self._header = b""

    def header(self, raw: bytes) -> None:
        """Keep the header for the first bad row."""
        self._header = self._row(["alliance_line", "alliance_reason", "alliance_detail", "alliance_sentence"], raw)

    def add(self, line: int, raw: bytes, refusal: Refusal) -> None:
        """Keep a bad row."""
        self.write(self._header + self._row([str(line), *_words(refusal).values()], raw))
        # The header is written once.
        self._header = b""

    def _row(self, cells: list[str], raw: bytes) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=self._format.delimiter, lineterminator=self._format.delimiter).writerow(cells)
        front = text.getvalue().encode(plain_encoding(self._format.encoding), errors="replace")
        return front + raw + (b"" if raw.endswith((b"\n", b"\r")) else b"\n")


class _Console(Console):
    """rich's own console ends the process on a broken pipe."""

    def on_broken_pipe(self) -> None:
        """Raise the error like any other."""
        raise BrokenPipeError


def discard_output(stream: IO[str]) -> None:
    """The reader of this stream is gone: discard what is still written to it, also at the end of the process."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class ConsoleReport:
    """Reports refused lines on stderr; the progress bar is there only on a terminal."""

    def __init__(self, path: Path, bad: BadLines | None = None, console: Console | None = None) -> None:
        self._console = console or _Console(stderr=True)
        self._bad = bad
        self._shown = 0
        self._not_shown: Counter[Reason] = Counter()
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
        for reason, count in self._not_shown.most_common():
            self._say(f"and {count} more: {reason.value}. {SENTENCES[reason]}")

    def header(self, raw: bytes) -> None:
        """For the file of bad lines."""
        if self._bad is not None:
            self._bad.header(raw)

    def refused(self, line: int, raw: bytes, refusal: Refusal) -> None:
        """Keep a bad line in the file of bad lines; show the first ones, count the others."""
        if self._bad is not None:
            self._bad.add(line, raw, refusal)
        if self._shown == MOST_SHOWN:
            self._not_shown[refusal.reason] += 1
            return
        self._shown += 1
        words = _words(refusal)
        self._say(f"line {line}: {words['reason']} ({words['detail']}). {words['sentence']}")

    def progress(self, bytes_done: int, outcome: Outcome) -> None:
        """Move the bar."""
        counts = f"sent {outcome.sent}, refused {outcome.refused_count}"
        self._bar.update(self._task, completed=bytes_done, description=counts)

    def _say(self, text: str) -> None:
        try:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        except OSError:  # The reader of stderr is gone, or the disk is full.
            self._console.quiet = True
            discard_output(self._console.file)


def progress_bar(console: Console) -> Progress:
    """The bar of every command that sends; it is there only on a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def bad_lines_file(path: Path, mapping: CsvMapping | None) -> BadLines:
    """A new file for bad lines, in the format of the file they come from; raises `BadLinesError`."""
    return BadJsonLines(path) if mapping is None else BadCsvRows(path, mapping)


def _words(refusal: Refusal) -> dict[str, str]:
    return {"reason": refusal.reason.value, "detail": refusal.detail, "sentence": SENTENCES[refusal.reason]}
