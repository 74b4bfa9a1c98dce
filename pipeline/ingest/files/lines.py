"""The lines of a file of events.

In: a file of JSON lines, or a CSV file with its mapping. Out: one `Line` after another: its number, its bytes, and its
event or the reason why it has none.
Never: drop a line that is not empty; change a byte of a JSON line; hold a line of any length in memory.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, AnyStr, NamedTuple, TextIO

from pipeline.core.acceptance import Refusal
from pipeline.ingest.files.csv_mapping import CsvMapping, MappingError, plain_encoding
from pipeline.ingest.files.row_mapper import RowError, RowMapper
from schemas.refusals import Reason

#: Few large reads: each one lets another thread run, which delays the sending.
_READ_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
#: How much of a line is kept; an event is far shorter.
MOST_OF_A_LINE = 1024 * 1024
_CUT = "a line longer than 1 MiB, of which only the beginning is kept"


class Line(NamedTuple):
    """A line, or a CSV row that may take several: its first number, its bytes, its event or why it has none."""

    number: int
    raw: bytes
    event: bytes | Refusal


def json_lines(path: Path) -> Iterator[Line]:
    """Each line of the file that is more than white space; the line end is not a part of the event."""
    with path.open("rb", buffering=_READ_BYTES) as file:
        for number, (raw, is_cut) in enumerate(_bounded(file, b"\n"), start=1):
            event = raw.removesuffix(b"\n").removesuffix(b"\r")
            if number == 1:
                event = event.removeprefix(_BOM)
            if event.strip() or is_cut:
                yield Line(number, raw, Refusal(Reason.TOO_LARGE, _CUT) if is_cut else event)


def csv_lines(path: Path, mapping: CsvMapping, on_header: Callable[[bytes], None]) -> Iterator[Line]:
    """Each row that is not empty, as an event; a row may take several lines. `on_header` gets the header first."""
    with path.open(encoding=mapping.file.encoding, errors="surrogateescape", newline="") as file:
        recorder = Recorder(file, mapping.file.encoding)
        rows = csv.reader(recorder, delimiter=mapping.file.delimiter, strict=True)
        mapper = RowMapper(mapping, _header(rows))
        on_header(recorder.cut().raw)
        yield from _rows(rows, recorder, mapper)


def _bounded(file: IO[AnyStr], *ends: AnyStr) -> Iterator[tuple[AnyStr, bool]]:
    """Each line with its end, or only its beginning and True; `ends` are the characters that end a line."""
    while line := file.readline(MOST_OF_A_LINE):
        rest = line
        while len(rest) == MOST_OF_A_LINE and not rest.endswith(ends):
            rest = file.readline(MOST_OF_A_LINE)
        yield line, rest is not line


def _header(rows: Iterator[list[str]]) -> list[str]:
    try:
        header = next(rows, None)
    except csv.Error:
        raise MappingError("The first line of the file is not CSV. Check its quotation marks.") from None
    if header is None:
        raise MappingError("The file is empty. Its first line must name the columns.")
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


class _RowSource(NamedTuple):
    """The lines behind a row: the number of the first, their bytes as in the file, whether one is cut off."""

    number: int
    raw: bytes
    is_cut: bool


class Recorder:
    """Hands lines to the CSV reader and remembers which of them made the latest row."""

    def __init__(self, file: TextIO, encoding: str) -> None:
        self._lines = _bounded(file, "\n", "\r")
        self._encoding = plain_encoding(encoding)
        self._read: list[str] = []
        self._is_cut = False
        self.last = 0

    def __iter__(self) -> "Recorder":
        return self

    def __next__(self) -> str:
        line, is_cut = next(self._lines)
        self.last += 1
        self._read.append(line)
        self._is_cut = self._is_cut or is_cut
        return line

    def cut(self) -> _RowSource:
        """The lines that were read since the latest cut."""
        first = self.last - len(self._read) + 1
        raw = "".join(self._read).encode(self._encoding, errors="surrogateescape")
        source = _RowSource(first, raw, self._is_cut)
        self._read.clear()
        self._is_cut = False
        return source
