"""The lines of a file of events.

In: a file of JSON lines, or a CSV file with its mapping. Out: one `Line` after another: where it stands, what stands
there, and the event in it or why there is none.
Never: drop what is not empty; change a byte of a JSON line; hold a line of any length in memory.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, AnyStr, NamedTuple, TextIO

from pipeline.core.acceptance import Refusal
from pipeline.ingest.files.csv_mapping import CsvMapping, MappingError, RowError, RowMapper, plain_encoding
from schemas.refusals import Reason

#: Few large reads: each one lets another thread run, and sending is held up for as long.
_READ_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
#: So much of a line is kept; an event is far shorter.
MOST_OF_A_LINE = 1024 * 1024
_CUT = "a line longer than 1 MiB, of which only the beginning is kept"


class Line(NamedTuple):
    """One line, or one CSV row of several: its first number, itself, the event in it or why there is none."""

    number: int
    raw: bytes
    event: bytes | Refusal


def json_lines(path: Path) -> Iterator[Line]:
    """Each line of the file that holds more than white space; a line's end is no part of its event."""
    with path.open("rb", buffering=_READ_BYTES) as file:
        for number, (raw, is_cut) in enumerate(_bounded(file, b"\n"), start=1):
            event = raw.removesuffix(b"\n").removesuffix(b"\r")
            if number == 1:
                event = event.removeprefix(_BOM)
            if event.strip() or is_cut:
                yield Line(number, raw, Refusal(Reason.TOO_LARGE, _CUT) if is_cut else event)


def csv_lines(path: Path, mapping: CsvMapping, header: Callable[[bytes], None]) -> Iterator[Line]:
    """Each row that is not empty as an event; a row may take several lines. `header` is told the header."""
    with path.open(encoding=mapping.file.encoding, errors="surrogateescape", newline="") as file:
        recorder = Recorder(file, mapping.file.encoding)
        rows = csv.reader(recorder, delimiter=mapping.file.delimiter, strict=True)
        mapper = RowMapper(mapping, _header(rows))
        header(recorder.cut().raw)
        yield from _rows(rows, recorder, mapper)


def _bounded(file: IO[AnyStr], *ends: AnyStr) -> Iterator[tuple[AnyStr, bool]]:
    """Each line with its end, or its beginning alone and True; `ends` are what a line can end with."""
    while line := file.readline(MOST_OF_A_LINE):
        rest = line
        while len(rest) == MOST_OF_A_LINE and not rest.endswith(ends):
            rest = file.readline(MOST_OF_A_LINE)
        yield line, rest is not line


def _header(rows: Iterator[list[str]]) -> list[str]:
    try:
        header = next(rows, None)
    except csv.Error:
        raise MappingError("The first line of the file is not CSV; check its quotation marks.") from None
    if header is None:
        raise MappingError("The file is empty; its first line must name the columns.")
    return header


def _rows(rows: Iterator[list[str]], recorder: "Recorder", mapper: RowMapper) -> Iterator[Line]:
    while True:
        try:
            row = next(rows, None)
            if row is None:
                return
            event: bytes | Refusal = mapper.event(row) if any(map(str.strip, row)) else b""
        except csv.Error:
            event = Refusal(Reason.INVALID_DATA, f"lines to {recorder.last}: not CSV, check the quotation marks")
        except RowError as error:
            event = Refusal(error.reason, error.detail)
        number, raw, is_cut = recorder.cut()
        if is_cut:
            event = Refusal(Reason.TOO_LARGE, _CUT)
        if event:
            yield Line(number, raw, event)


class _Taken(NamedTuple):
    """What a row was made of: the number of its first line, its lines as in the file, whether one is cut off."""

    number: int
    raw: bytes
    is_cut: bool


class Recorder:
    """Hands lines to the CSV reader and remembers which of them made the latest row."""

    def __init__(self, file: TextIO, encoding: str) -> None:
        self._lines = _bounded(file, "\n", "\r")
        self._encoding = plain_encoding(encoding)
        self._taken: list[str] = []
        self._is_cut = False
        self.last = 0

    def __iter__(self) -> "Recorder":
        return self

    def __next__(self) -> str:
        line, is_cut = next(self._lines)
        self.last += 1
        self._taken.append(line)
        self._is_cut = self._is_cut or is_cut
        return line

    def cut(self) -> _Taken:
        """What has been taken since the latest cut."""
        first = self.last - len(self._taken) + 1
        raw = "".join(self._taken).encode(self._encoding, errors="surrogateescape")
        taken = _Taken(first, raw, self._is_cut)
        self._taken.clear()
        self._is_cut = False
        return taken
