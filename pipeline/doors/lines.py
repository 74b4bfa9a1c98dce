"""The lines of a file of events.

In: a file of JSON lines, or a CSV file with its mapping. Out: one `Line` after another: where it stands, what stands
there, and the event in it or why there is none.
Never: drop what is not empty; change a byte of a JSON line.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from pipeline.core.acceptance import Refused
from pipeline.doors.mapping import CsvMapping, MappingError, RowError, RowMapper
from schemas.refusals import Reason

#: Few large reads: each one lets another thread run, and sending is held up for as long.
_READ_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line, or one CSV row of several: its first number, itself, the event in it or why there is none."""

    number: int
    raw: bytes
    event: bytes | Refused


def json_lines(path: Path) -> Iterator[Line]:
    """Each line of the file that holds more than white space; a line's end is no part of its event."""
    with path.open("rb", buffering=_READ_BYTES) as file:
        for number, raw in enumerate(file, start=1):
            event = raw.removesuffix(b"\n").removesuffix(b"\r")
            if number == 1:
                event = event.removeprefix(_BOM)
            if event.strip():
                yield Line(number, raw, event)


def csv_lines(path: Path, mapping: CsvMapping) -> Iterator[Line]:
    """Each row that is not empty as an event; a row may take several lines."""
    with _open_csv(path, mapping) as file:
        recorder = Recorder(file, mapping.file.encoding)
        rows = csv.reader(recorder, delimiter=mapping.file.delimiter, strict=True)
        mapper = RowMapper(mapping, _header(rows))
        recorder.cut()
        yield from _rows(rows, recorder, mapper)


def csv_header(path: Path, mapping: CsvMapping) -> bytes:
    """The header as it stands in the file."""
    with _open_csv(path, mapping) as file:
        recorder = Recorder(file, mapping.file.encoding)
        _header(csv.reader(recorder, delimiter=mapping.file.delimiter, strict=True))
        return recorder.cut()[1]


def plain_encoding(encoding: str) -> str:
    """The encoding to write with: without a mark at the beginning."""
    return "utf-8" if encoding.lower().replace("_", "-") in ("utf-8-sig", "utf8-sig") else encoding


def _open_csv(path: Path, mapping: CsvMapping) -> TextIO:
    return path.open(encoding=mapping.file.encoding, errors="surrogateescape", newline="")


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
            event: bytes | Refused = mapper.event(row) if any(map(str.strip, row)) else b""
        except csv.Error:
            event = Refused(Reason.INVALID_DATA, f"lines to {recorder.last}: not CSV, check the quotation marks")
        except RowError as error:
            event = Refused(error.reason, error.detail)
        number, raw = recorder.cut()
        if event:
            yield Line(number, raw, event)


class Recorder:
    """Hands lines to the CSV reader and remembers which of them made the latest row."""

    def __init__(self, lines: Iterable[str], encoding: str) -> None:
        self._lines = iter(lines)
        self._encoding = plain_encoding(encoding)
        self._taken: list[str] = []
        self.last = 0

    def __iter__(self) -> "Recorder":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.last += 1
        self._taken.append(line)
        return line

    def cut(self) -> tuple[int, bytes]:
        """The number of the first line taken since the latest cut, and all of them as in the file."""
        first = self.last - len(self._taken) + 1
        raw = "".join(self._taken).encode(self._encoding, errors="surrogateescape")
        self._taken.clear()
        return first, raw
