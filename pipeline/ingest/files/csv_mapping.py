"""A practice's own mapping file: which column of a CSV file becomes which part of an event.

In: a TOML file; docs/integrators.md shows the form. Out: a checked `CsvMapping`, or `MappingError`.
Never: read the CSV file (that is `lines` and `row_mapper`).
"""

import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct, field

from schemas.events import EVENT_TYPES, CheckinSubmitted

CHECKIN = str(CheckinSubmitted.__struct_config__.tag)
_FORM = "docs/integrators.md shows the form"


class MappingError(Exception):
    """The mapping cannot be used, or does not fit the file; a sentence that says what to do."""


class FileFormat(Struct, frozen=True, forbid_unknown_fields=True):
    """How the file is written."""

    delimiter: str = ","
    encoding: str = "utf-8-sig"
    decimal: Literal[".", ","] = "."


class Cells(Struct, frozen=True, forbid_unknown_fields=True):
    """A text from one or several columns; `values` translates it, `default` replaces an empty one."""

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
    """An instant from one or several columns, joined by a space; without `format` it is ISO 8601."""

    column: str | None = None
    columns: tuple[str, ...] = ()
    format: str | None = None
    zone: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return (self.column,) if self.column is not None else self.columns


#: A constant, or the columns that a text comes from.
Source = str | int | Cells


class EventSources(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the CloudEvents attributes come from."""

    type: Source
    id: Cells
    source: Source
    subject: Source
    time: Time


class CsvMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """A checked mapping file. `data` has the source of each field, `answers` the column of each item."""

    event: EventSources
    file: FileFormat = FileFormat()
    data: dict[str, Source] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)


class DataFields(Struct, frozen=True):
    """The fields that the data of an event type has."""

    known: frozenset[str]
    required: frozenset[str]
    whole_numbers: frozenset[str]


def _data_fields(event: type) -> DataFields:
    data = get_type_hints(event)["data"]
    # The data of some events is optional: a union of a struct and None.
    structure = next((part for part in get_args(data) if isinstance(part, type) and issubclass(part, Struct)), data)
    fields = msgspec.structs.fields(structure)
    return DataFields(
        known=frozenset(field.name for field in fields),
        required=frozenset(field.name for field in fields if field.required),
        whole_numbers=frozenset(field.name for field in fields if int in (field.type, *get_args(field.type))),
    )


DATA_FIELDS = MappingProxyType({name: _data_fields(event) for name, event in EVENT_TYPES.items()})


def load_mapping(path: Path) -> CsvMapping:
    """The mapping in a TOML file; raises `MappingError`."""
    try:
        mapping = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), CsvMapping)
    except OSError as error:
        raise MappingError(f"{path}: cannot be read ({error.strerror}). Check its name and permissions.") from None
    except UnicodeDecodeError:
        raise MappingError(f"{path}: not UTF-8; save the mapping as UTF-8.") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise MappingError(f"{path}: {error}; {_FORM}.") from None
    for problem in _problems(mapping):
        raise MappingError(f"{path}, {problem}.")
    return mapping


def plain_encoding(encoding: str) -> str:
    """The encoding to write with: without a byte order mark."""
    return "utf-8" if encoding.lower().replace("_", "-") in ("utf-8-sig", "utf8-sig") else encoding


def _problems(mapping: CsvMapping) -> Iterator[str]:
    if len(mapping.file.delimiter) != 1 or mapping.file.delimiter in '\r\n"':
        yield "file.delimiter: it must be one character, and not a quotation mark or line end"
    try:
        # The file of bad rows puts columns with ASCII text before the unchanged bytes of each row.
        if string.printable.encode(plain_encoding(mapping.file.encoding)) != string.printable.encode():
            yield 'file.encoding: it does not contain ASCII unchanged; save the file as UTF-8 and write "utf-8"'
    except (LookupError, ValueError):
        yield 'file.encoding: there is no encoding of that name; write one such as "utf-8" or "cp1252"'
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
        yield 'event.time: the format has no offset (%z); add the zone of the times, such as zone = "Europe/Berlin"'
    if time.zone is not None:
        try:
            ZoneInfo(time.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield 'event.time.zone: there is no time zone of that name; write one such as "Europe/Berlin"'


def _type_problems(mapping: CsvMapping) -> Iterator[str]:
    types = _possible_types(mapping.event.type)
    for name in types - EVENT_TYPES.keys():
        yield f'event.type: "{name}" is not an event type; write one of {", ".join(EVENT_TYPES)}'
        return
    known = set().union(*(DATA_FIELDS[name].known for name in types))
    for name in mapping.data:
        if name not in known:
            yield f'data: "{name}" is not a field of this type; its fields are {", ".join(sorted(known - {"answers"}))}'
    if len(types) == 1:
        for name in sorted(DATA_FIELDS[next(iter(types))].required - mapping.data.keys() - {"answers"}):
            yield f"data: {name} is missing; name its column, or give it one value for all rows"
    if CHECKIN in types and not mapping.answers:
        yield "answers: there are none; name the column of each item"


def _possible_types(source: Source) -> set[str]:
    if isinstance(source, Cells):
        return set(EVENT_TYPES) if source.values is None else set(source.values.values())
    return {str(source)}
