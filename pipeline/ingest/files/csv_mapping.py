"""CSV rows -> events, as a practice's own mapping file says.

In: a TOML file (docs/integrators.md shows the form), the header of a CSV file, its rows. Out: CloudEvents as bytes, or
`RowError` with a reason from the closed list.
Never: a value of the file in an error (columns are named, cells are not); a guess; judge an event.
"""

import math
import re
import string
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct, field

from schemas.events import EVENT_TYPES, CheckinSubmitted
from schemas.refusals import Reason

CHECKIN = str(CheckinSubmitted.__struct_config__.tag)
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)?([Zz]|[+-]\d\d:?\d\d)?)?", re.ASCII)
#: No whole number that means anything has more digits, and Python reads no more than 4300.
_MOST_DIGITS = 15
_FORM = "docs/integrators.md shows the form"


class MappingError(Exception):
    """The mapping cannot be used, or does not fit the file; one sentence with the way out."""


class RowError(Exception):
    """A row cannot become an event. `detail` names a column, never a cell."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class FileForm(Struct, frozen=True, forbid_unknown_fields=True):
    """How the file is written."""

    delimiter: str = ","
    encoding: str = "utf-8-sig"
    decimal: Literal[".", ","] = "."


class Cells(Struct, frozen=True, forbid_unknown_fields=True):
    """A text out of one or several columns; `values` translates it, `default` stands in for an empty one."""

    column: str | None = None
    columns: tuple[str, ...] = ()
    separator: str = "/"
    values: dict[str, str] | None = None
    default: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return (self.column,) if self.column is not None else self.columns


class Time(Struct, frozen=True, forbid_unknown_fields=True):
    """An instant out of one or several columns (joined by a space); without `format`: ISO 8601."""

    column: str | None = None
    columns: tuple[str, ...] = ()
    format: str | None = None
    zone: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return (self.column,) if self.column is not None else self.columns


#: A constant, or where to take it from.
Source = str | int | Cells


class EventForm(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the CloudEvents attributes come from."""

    type: Source
    id: Cells
    source: Source
    subject: Source
    time: Time


class CsvMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping file, checked. `data` and `answers` are by field and by item."""

    event: EventForm
    file: FileForm = FileForm()
    data: dict[str, Source] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)


def load_mapping(path: Path) -> CsvMapping:
    """The mapping in a TOML file; raises `MappingError`."""
    try:
        mapping = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), CsvMapping)
    except OSError as error:
        raise MappingError(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise MappingError(f"{path}: not UTF-8; save the mapping as UTF-8.") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise MappingError(f"{path}: {error}; {_FORM}.") from None
    for problem in _problems(mapping):
        raise MappingError(f"{path}, {problem}.")
    return mapping


def plain_encoding(encoding: str) -> str:
    """The encoding to write with: without a mark at the beginning."""
    return "utf-8" if encoding.lower().replace("_", "-") in ("utf-8-sig", "utf8-sig") else encoding


def _problems(mapping: CsvMapping) -> Iterator[str]:
    if len(mapping.file.delimiter) != 1 or mapping.file.delimiter in '\r\n"':
        yield "file.delimiter: it must be one character, and no quotation mark or line end"
    try:
        # Rows are kept and mended as they stand in the file, with columns of ours in front.
        if string.printable.encode(plain_encoding(mapping.file.encoding)) != string.printable.encode():
            yield 'file.encoding: not made of ASCII and more; save the file as UTF-8 and write "utf-8"'
    except (LookupError, ValueError):
        yield 'file.encoding: no encoding of that name; try "utf-8" or "cp1252"'
    yield from _source_problems(mapping)
    yield from _time_problems(mapping.event.time)
    yield from _type_problems(mapping)


def _source_problems(mapping: CsvMapping) -> Iterator[str]:
    event = mapping.event
    places: dict[str, Source] = {f"event.{name}": getattr(event, name) for name in ("type", "id", "source", "subject")}
    places |= {f"data.{name}": source for name, source in mapping.data.items()}
    for place, source in places.items():
        if isinstance(source, Cells) and bool(source.column is not None) == bool(source.columns):
            yield f"{place}: name either a column or columns"


def _time_problems(time: Time) -> Iterator[str]:
    if (time.column is not None) == bool(time.columns):
        yield "event.time: name either a column or columns"
    if time.format is not None and time.zone is None and "%z" not in time.format:
        yield 'event.time: the format has no offset (%z), so say in which zone it is, such as zone = "Europe/Berlin"'
    if time.zone is not None:
        try:
            ZoneInfo(time.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield 'event.time.zone: no time zone of that name; write one such as "Europe/Berlin"'


def _type_problems(mapping: CsvMapping) -> Iterator[str]:
    types = _possible_types(mapping.event.type)
    for name in types - EVENT_TYPES.keys():
        yield f'event.type: "{name}" is no type; it is one of {", ".join(EVENT_TYPES)}'
        return
    known = set().union(*(_FIELDS[name].known for name in types))
    for name in mapping.data:
        if name not in known:
            yield f'data: "{name}" is no field here; there are {", ".join(sorted(known - {"answers"}))}'
    if len(types) == 1:
        for name in sorted(_FIELDS[next(iter(types))].required - mapping.data.keys() - {"answers"}):
            yield f"data: {name} is missing; name its column, or give it one value for all rows"
    if CHECKIN in types and not mapping.answers:
        yield "answers: there are none; name the column of each item"


def _possible_types(source: Source) -> set[str]:
    if isinstance(source, Cells):
        return set(EVENT_TYPES) if source.values is None else set(source.values.values())
    return {str(source)}


class _DataFields(Struct, frozen=True):
    known: frozenset[str]
    required: frozenset[str]
    whole_numbers: frozenset[str]


def _data_fields(event: type) -> _DataFields:
    data = get_type_hints(event)["data"]
    structure = next((one for one in get_args(data) if isinstance(one, type) and issubclass(one, Struct)), data)
    fields = msgspec.structs.fields(structure)
    return _DataFields(
        known=frozenset(one.name for one in fields),
        required=frozenset(one.name for one in fields if one.required),
        whole_numbers=frozenset(one.name for one in fields if int in (one.type, *get_args(one.type))),
    )


_FIELDS = MappingProxyType({name: _data_fields(event) for name, event in EVENT_TYPES.items()})

_SWAPPED = str.maketrans(".,", ",.")

_Row = Sequence[str]
_Taker = Callable[[_Row], str]


class RowMapper:
    """A mapping bound to the columns of one file."""

    def __init__(self, mapping: CsvMapping, header: Sequence[str]) -> None:
        """Raises `MappingError` if the file lacks a column, or has it twice."""
        self._columns = _Columns(header)
        event = mapping.event
        self._width = len(header)
        self._attributes = {
            name: self._taker(source)
            for name, source in (("id", event.id), ("source", event.source), ("subject", event.subject))
        }
        self._type = self._taker(event.type)
        self._time = _Clock(event.time, self._columns)
        self._data = {name: self._taker(source) for name, source in mapping.data.items()}
        self._answers = {item: (self._columns.index(name), name) for item, name in mapping.answers.items()}
        self._decimal = mapping.file.decimal

    def event(self, row: _Row) -> bytes:
        """The CloudEvent of a row; raises `RowError`."""
        if len(row) != self._width:
            raise RowError(Reason.INVALID_DATA, f"the row has {len(row)} cells, the header {self._width}")
        kind = self._type(row)
        event: dict[str, object] = {"specversion": "1.0", "type": kind}
        event.update((name, take(row)) for name, take in self._attributes.items())
        event["time"] = self._time.instant(row)
        event["data"] = self._data_of(kind, row)
        try:
            return msgspec.json.encode(event)
        except UnicodeEncodeError:
            raise RowError(Reason.NOT_JSON, "a cell is not in the encoding that the mapping names") from None

    def _data_of(self, kind: str, row: _Row) -> dict[str, object]:
        """Fields that this type has; an empty cell leaves its field out."""
        fields = _FIELDS.get(kind)
        data: dict[str, object] = {}
        for name, take in self._data.items():
            if (fields is None or name in fields.known) and (text := take(row)):
                is_whole = fields is not None and name in fields.whole_numbers
                data[name] = _whole(text, name) if is_whole else text
        if kind == CHECKIN:
            data["answers"] = {item: self._answer(row[at], name) for item, (at, name) in self._answers.items()}
        return data

    def _answer(self, cell: str, column: str) -> float | int | None:
        text = cell.strip()
        if not text:
            return None
        if self._decimal == ",":
            text = text.translate(_SWAPPED)
        if not _NUMBER.fullmatch(text):
            has_other_sign = _NUMBER.fullmatch(text.translate(_SWAPPED))
            hint = f', the mapping says decimal = "{self._decimal}"' if has_other_sign else ""
            raise RowError(Reason.INVALID_DATA, f"column {column}: not a number{hint}")
        number = float(text)
        if not math.isfinite(number):
            raise RowError(Reason.INVALID_DATA, f"column {column}: a number too large")
        return number if "." in text else int(text)

    def _taker(self, source: Source) -> _Taker:
        if not isinstance(source, Cells):
            constant = str(source)
            return lambda row: constant
        return _cells_taker(source, [self._columns.index(name) for name in source.names])


def _cells_taker(cells: Cells, places: list[int]) -> _Taker:
    label = "column " + ", ".join(cells.names)

    def take(row: _Row) -> str:
        parts = [row[place].strip() for place in places]
        text = cells.separator.join(parts) if all(parts) else ""
        if not text:
            return cells.default or ""
        if cells.values is None:
            return text
        if text not in cells.values:
            raise RowError(Reason.INVALID_DATA, f"{label}: a value that the mapping does not name")
        return cells.values[text]

    return take


def _whole(text: str, name: str) -> int:
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise RowError(Reason.INVALID_DATA, f"data.{name}: not a whole number")
    return int(text)


class _Clock:
    """Instants out of cells."""

    def __init__(self, time: Time, columns: "_Columns") -> None:
        self._places = [columns.index(name) for name in time.names]
        self._label = "column " + ", ".join(time.names)
        self._format = time.format
        self._zone = None if time.zone is None else ZoneInfo(time.zone)

    def instant(self, row: _Row) -> str:
        """RFC 3339 with an offset. A local time that a change of clocks repeats is taken as the first of the two."""
        text = " ".join(row[place].strip() for place in self._places)
        try:
            moment = self._read(text)
        except ValueError:
            raise RowError(Reason.NOT_A_CLOUDEVENT, f"{self._label}: not a time of the mapping's format") from None
        if moment.tzinfo is None:
            if self._zone is None:
                raise RowError(Reason.NOT_A_CLOUDEVENT, f"{self._label}: no offset, and the mapping names no zone")
            moment = moment.replace(tzinfo=self._zone)
            if moment.replace(fold=1).timestamp() < moment.timestamp():
                raise RowError(Reason.NOT_A_CLOUDEVENT, f"{self._label}: a time that the change of clocks skips")
        return moment.isoformat()

    def _read(self, text: str) -> datetime:
        if self._format is None:
            if not _ISO.fullmatch(text):
                raise ValueError("not RFC 3339, nor a part of it")
            return datetime.fromisoformat(text)
        return datetime.strptime(text, self._format)  # noqa: DTZ007 (the zone is the caller's)


class _Columns:
    """The columns of a file by name."""

    def __init__(self, header: Sequence[str]) -> None:
        self._names = [name.strip() for name in header]
        self._counts = Counter(self._names)

    def index(self, name: str) -> int:
        """Where a column is; raises `MappingError` if it is nowhere or in two places."""
        if self._counts[name] > 1:
            raise MappingError(f'The file has two columns "{name}"; give them different names.')
        if not self._counts[name]:
            raise MappingError(f'The file has no column "{name}"; mend the mapping, or its file.delimiter.')
        return self._names.index(name)
