"""Where a CSV cell becomes an answer: one row of a file -> one event, as the mapping says.

In: a checked mapping, the header of a CSV file, its rows. Out: CloudEvents as bytes, or `RowError` with a reason from
the closed list.
Never: put a cell into an error (an error names columns only); guess; decide whether an event is accepted.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from pipeline.ingest.files.csv_mapping import CHECKIN, DATA_FIELDS, Cells, CsvMapping, MappingError, Source, Time
from schemas.refusals import Reason

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)?([Zz]|[+-]\d\d:?\d\d)?)?", re.ASCII)
#: Far more digits than any whole number of an event has, and far fewer than the 4,300 that Python reads.
_MOST_DIGITS = 15
_POINTS_AND_COMMAS_SWAPPED = str.maketrans(".,", ",.")

_Row = Sequence[str]
_CellReader = Callable[[_Row], str]


class RowError(Exception):
    """A row cannot become an event. `detail` names a column, never a cell."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class RowMapper:
    """A mapping bound to the columns of one file."""

    def __init__(self, mapping: CsvMapping, header: Sequence[str]) -> None:
        """Raises `MappingError` if the file lacks a column, or has it twice."""
        self._columns = _Columns(header)
        event = mapping.event
        self._width = len(header)
        self._attributes = {
            name: self._reader_of(source)
            for name, source in (("id", event.id), ("source", event.source), ("subject", event.subject))
        }
        self._type = self._reader_of(event.type)
        self._time = _Clock(event.time, self._columns)
        self._data = {name: self._reader_of(source) for name, source in mapping.data.items()}
        self._answers = {item: (self._columns.index(name), name) for item, name in mapping.answers.items()}
        self._decimal = mapping.file.decimal

    def event(self, row: _Row) -> bytes:
        """The CloudEvent of a row; raises `RowError`."""
        if len(row) != self._width:
            raise RowError(Reason.INVALID_DATA, f"the row has {len(row)} cells, the header {self._width}")
        kind = self._type(row)
        event: dict[str, object] = {"specversion": "1.0", "type": kind}
        event.update((name, read(row)) for name, read in self._attributes.items())
        event["time"] = self._time.instant(row)
        event["data"] = self._data_of(kind, row)
        try:
            return msgspec.json.encode(event)
        except UnicodeEncodeError:
            raise RowError(Reason.NOT_JSON, "a cell is not in the encoding that the mapping names") from None

    def _data_of(self, kind: str, row: _Row) -> dict[str, object]:
        """The fields that this type has; an empty cell leaves its field out."""
        fields = DATA_FIELDS.get(kind)
        data: dict[str, object] = {}
        for name, read in self._data.items():
            if (fields is None or name in fields.known) and (text := read(row)):
                is_whole = fields is not None and name in fields.whole_numbers
                data[name] = _whole_number(text, name) if is_whole else text
        if kind == CHECKIN:
            data["answers"] = {item: self._answer(row[place], name) for item, (place, name) in self._answers.items()}
        return data

    def _answer(self, cell: str, column: str) -> float | int | None:
        """The number in a cell; an empty cell is an item that was not answered."""
        text = cell.strip()
        if not text:
            return None
        if self._decimal == ",":
            text = text.translate(_POINTS_AND_COMMAS_SWAPPED)
        if not _NUMBER.fullmatch(text):
            has_other_sign = _NUMBER.fullmatch(text.translate(_POINTS_AND_COMMAS_SWAPPED))
            hint = f', the mapping says decimal = "{self._decimal}"' if has_other_sign else ""
            raise RowError(Reason.INVALID_DATA, f"column {column}: not a number{hint}")
        number = float(text)
        if not math.isfinite(number):
            raise RowError(Reason.INVALID_DATA, f"column {column}: a number too large")
        return number if "." in text else int(text)

    def _reader_of(self, source: Source) -> _CellReader:
        if not isinstance(source, Cells):
            constant = str(source)
            return lambda row: constant
        return _cell_reader(source, [self._columns.index(name) for name in source.names])


def _cell_reader(cells: Cells, places: list[int]) -> _CellReader:
    label = "column " + ", ".join(cells.names)

    def read(row: _Row) -> str:
        parts = [row[place].strip() for place in places]
        text = cells.separator.join(parts) if all(parts) else ""
        if not text:
            return cells.default or ""
        if cells.values is None:
            return text
        if text not in cells.values:
            raise RowError(Reason.INVALID_DATA, f"{label}: a value that the mapping does not name")
        return cells.values[text]

    return read


def _whole_number(text: str, name: str) -> int:
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise RowError(Reason.INVALID_DATA, f"data.{name}: not a whole number")
    return int(text)


class _Clock:
    """Instants from cells."""

    def __init__(self, time: Time, columns: "_Columns") -> None:
        self._places = [columns.index(name) for name in time.names]
        self._label = "column " + ", ".join(time.names)
        self._format = time.format
        self._zone = None if time.zone is None else ZoneInfo(time.zone)

    def instant(self, row: _Row) -> str:
        """RFC 3339 with an offset. When clocks go back, a time in the repeated hour means the first one."""
        text = " ".join(row[place].strip() for place in self._places)
        try:
            moment = self._read(text)
        except ValueError:
            raise RowError(Reason.NOT_A_CLOUDEVENT, f"{self._label}: not a time of the mapping's format") from None
        if moment.tzinfo is None:
            if self._zone is None:
                raise RowError(Reason.NOT_A_CLOUDEVENT, f"{self._label}: no offset, and the mapping names no zone")
            moment = moment.replace(tzinfo=self._zone)
            # In the hour that is skipped, the second reading of a time (fold=1) comes before the first.
            if moment.replace(fold=1).timestamp() < moment.timestamp():
                raise RowError(Reason.NOT_A_CLOUDEVENT, f"{self._label}: a time that the change of clocks skips")
        return moment.isoformat()

    def _read(self, text: str) -> datetime:
        if self._format is None:
            if not _ISO.fullmatch(text):
                raise ValueError("not RFC 3339, nor a part of it")
            return datetime.fromisoformat(text)
        return datetime.strptime(text, self._format)  # noqa: DTZ007 (the caller adds the zone)


class _Columns:
    """The columns of a file by name."""

    def __init__(self, header: Sequence[str]) -> None:
        self._names = [name.strip() for name in header]
        self._counts = Counter(self._names)

    def index(self, name: str) -> int:
        """The place of a column; raises `MappingError` if the file lacks it or has it twice."""
        if self._counts[name] > 1:
            raise MappingError(f'The file has two columns "{name}". Give them different names.')
        if not self._counts[name]:
            raise MappingError(f'The file has no column "{name}". Fix its name in the mapping, or file.delimiter.')
        return self._names.index(name)
