"""What a person sees of `alliance send`, and the file of bad lines.

In: refusals and progress, in the order of the file. Out: lines and a bar on the terminal, a file with every bad line.
Never: a value of the file on the terminal (the file of bad lines holds them: only its owner may read it).
"""

import base64
import csv
import io
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pipeline.core.acceptance import Refused
from pipeline.doors.lines import csv_header, plain_encoding
from pipeline.doors.mapping import CsvMapping
from pipeline.doors.send import Outcome
from schemas.refusals import SENTENCES, Reason

MOST_TOLD = 20


class BadFileError(Exception):
    """The file for bad lines cannot be made; one sentence with the way out."""


class BadFile(Protocol):
    """Where bad lines go."""

    def add(self, line: int, raw: bytes, refusal: Refused) -> None:
        """Keep a bad line with its number and the reason."""

    def close(self) -> None:
        """All of it is on disk."""


class BadJson:
    """One JSON object a line: `line`, `reason`, `detail`, `sentence`, and the line itself as `text`."""

    def __init__(self, path: Path) -> None:
        self._file = _new(path)

    def add(self, line: int, raw: bytes, refusal: Refused) -> None:
        """Keep a bad line; what is not UTF-8 goes in as `base64`."""
        content: dict[str, object] = {"line": line, **_words(refusal)}
        text = raw.removesuffix(b"\n").removesuffix(b"\r")
        try:
            content["text"] = text.decode()
        except UnicodeDecodeError:
            content["base64"] = base64.b64encode(text).decode()
        self._file.write(msgspec.json.encode(content) + b"\n")

    def close(self) -> None:
        """All of it is on disk."""
        self._file.close()


class BadCsv:
    """The bad rows as they stand in the file, after four columns of ours; mended, the same mapping sends them."""

    def __init__(self, path: Path, source: Path, mapping: CsvMapping) -> None:
        self._form = mapping.file
        header = csv_header(source, mapping)
        self._file = _new(path)
        self._write(["alliance_line", "alliance_reason", "alliance_detail", "alliance_sentence"], header)

    def add(self, line: int, raw: bytes, refusal: Refused) -> None:
        """Keep a bad row."""
        self._write([str(line), *_words(refusal).values()], raw)

    def close(self) -> None:
        """All of it is on disk."""
        self._file.close()

    def _write(self, cells: list[str], raw: bytes) -> None:
        text = io.StringIO()
        csv.writer(text, delimiter=self._form.delimiter, lineterminator=self._form.delimiter).writerow(cells)
        front = text.getvalue().encode(plain_encoding(self._form.encoding), errors="replace")
        self._file.write(front + raw + (b"" if raw.endswith((b"\n", b"\r")) else b"\n"))


class ConsoleReport:
    """Tells a person on stderr what becomes of the lines; the bar is there only on a terminal."""

    def __init__(self, path: Path, bad: BadFile | None = None, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bad = bad
        self._told = 0
        self._untold: Counter[Reason] = Counter()
        self._bar = progress_bar(self._console)
        self._task = self._bar.add_task("sending", total=path.stat().st_size)

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

    def refused(self, line: int, raw: bytes, refusal: Refused) -> None:
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
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


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


def bad_file(path: Path, source: Path, mapping: CsvMapping | None) -> BadFile:
    """A new file for bad lines, in the form of the file they come from; raises `BadFileError`."""
    return BadJson(path) if mapping is None else BadCsv(path, source, mapping)


def _words(refusal: Refused) -> dict[str, str]:
    return {"reason": refusal.reason.value, "detail": refusal.detail, "sentence": SENTENCES[refusal.reason]}


def _new(path: Path) -> BinaryIO:
    """A file that was not there before, for its owner only: it holds what clients said."""
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise BadFileError(f"{path} is there already; name another file for the bad lines, or remove it.") from None
    except OSError as error:
        raise BadFileError(f"{path} cannot be made ({error.strerror}); name another file for the bad lines.") from None
    return path.open("wb")
