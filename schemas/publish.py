"""The published contracts: JSON Schema (2020-12) files and the tables of `docs/integrators.md`.

In: the message types and the refusal sentences. Out: the same bytes each time; `python -m schemas.publish` writes them.
Never: change a frozen schema (`--freeze` adds copies, it does not overwrite).
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from schemas.events import EVENT_TYPES
from schemas.flags import Flag
from schemas.refusals import SENTENCES
from schemas.summaries import CaseSummary, TherapistSummary

Schema = dict[str, Any]

#: File name without `.json` -> the message that it describes: what senders send, and what the worker writes.
INCOMING: Mapping[str, type] = EVENT_TYPES
OUTGOING: Mapping[str, type] = {"flag": Flag, "case-summary": CaseSummary, "therapist-summary": TherapistSummary}

FOLDER = Path(__file__).parent / "jsonschema"
#: Each schema as it was first published; the current one must stay compatible (`schemas.compatibility`).
FROZEN = FOLDER / "published"
PAGE = Path(__file__).parent.parent / "docs" / "integrators.md"


def schema_of(name: str, message: type) -> Schema:
    """The JSON Schema of one message; unknown extra fields are allowed everywhere."""
    generated = msgspec.json.schema(message)
    definitions: dict[str, Schema] = generated["$defs"]
    for struct in _structs(inspect.type_info(message)):
        _add_dates_and_columns(definitions[struct.cls.__name__], struct)
    top = definitions.pop(message.__name__)
    schema: Schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:alliance:schema:{name}"}
    schema.update(_tidy(top))
    if definitions:
        schema["$defs"] = {defined: _tidy(definitions[defined]) for defined in sorted(definitions)}
    return schema


def files() -> dict[str, str]:
    """Every JSON Schema file, by name."""
    return {
        f"{name}.json": json.dumps(schema_of(name, message), indent=2, ensure_ascii=False) + "\n"
        for name, message in {**INCOMING, **OUTGOING}.items()
    }


def _structs(info: inspect.Type) -> Iterator[inspect.StructType]:
    if isinstance(info, inspect.StructType):
        yield info
    for part in _parts(info):
        yield from _structs(part)


def _parts(info: inspect.Type) -> Iterator[inspect.Type]:
    match info:
        case inspect.Metadata():
            yield info.type
        case inspect.UnionType():
            yield from info.types
        case inspect.DictType():
            yield info.value_type
        case inspect.ListType():
            yield info.item_type
        case inspect.StructType():
            yield from (field.type for field in info.fields)


def _add_dates_and_columns(schema: Schema, struct: inspect.StructType) -> None:
    """Add the format of instants and the names of a row's columns, which msgspec leaves out."""
    if struct.array_like:
        for column, field in zip(schema["prefixItems"], struct.fields, strict=True):
            column["title"] = field.encode_name
        return
    for field in struct.fields:
        if _is_instant(field.type):
            for branch in _branches(schema["properties"][field.encode_name]):
                if branch.get("type") == "string":
                    branch["format"] = "date-time"


def _is_instant(info: inspect.Type) -> bool:
    if isinstance(info, inspect.Metadata | inspect.UnionType):
        return any(_is_instant(part) for part in _parts(info))
    return isinstance(info, inspect.DateTimeType)


def _branches(schema: Schema) -> list[Schema]:
    return list(schema.get("anyOf", [schema]))


def _tidy(node: Any) -> Any:
    """Write `const` for a single choice, and say that further fields are allowed."""
    if isinstance(node, list):
        return [_tidy(part) for part in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidy(value) for key, value in node.items()}
    if len(tidy.get("enum", ())) == 1:
        return {**{key: value for key, value in tidy.items() if key != "enum"}, "const": tidy["enum"][0]}
    if isinstance(tidy.get("properties"), dict) and tidy.get("type") == "object":
        tidy["additionalProperties"] = True
    return tidy


def tables() -> dict[str, str]:
    """The generated tables of `docs/integrators.md`, by the name in their marker."""
    schemas = {name: schema_of(name, message) for name, message in INCOMING.items()}
    envelope = next(iter(schemas.values()))["properties"]
    return {
        "envelope": _table(("attribute", "accepts", "what it is"), _envelope_rows(envelope)),
        "types": _table(
            ("type", "what happened", "`data`"), (_type_row(name, schema) for name, schema in schemas.items())
        ),
        "fields": _table(("field of `data`", "accepts", "what it is"), _field_rows(schemas.values())),
        "refusals": _table(("reason", "what to do"), ((f"`{reason}`", SENTENCES[reason]) for reason in SENTENCES)),
    }


def page(text: str) -> str:
    """The page with new tables."""
    for name, table in tables().items():
        before, start, rest = text.partition(f"<!-- generated: {name} -->\n")
        _, end, after = rest.partition(f"<!-- end: {name} -->")
        if not start or not end:
            raise ValueError(f"{PAGE.name} has lost the markers of its table `{name}`")
        text = f"{before}{start}{table}{end}{after}"
    return text


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _envelope_rows(properties: Schema) -> Iterator[Sequence[str]]:
    yield "`type`", "one of the types below", "What happened."
    for name, schema in properties.items():
        if name not in ("type", "data"):
            yield f"`{name}`", _accepts(schema), _meaning(schema)
    yield "`data`", "object", "The fields of the type, see below."


def _type_row(name: str, schema: Schema) -> Sequence[str]:
    data = _data(schema)
    required = data.get("required", [])
    optional = [field for field in data["properties"] if field not in required]
    said = ", ".join(f"`{field}`" for field in required)
    if optional:
        said += "; optional " + ", ".join(f"`{field}`" for field in optional)
    return f"`{name}`", schema["description"], said or "(nothing)"


def _field_rows(schemas: Iterator[Schema] | Any) -> Iterator[Sequence[str]]:
    seen: set[tuple[str, str]] = set()
    for schema in schemas:
        for name, field in _data(schema)["properties"].items():
            if (name, _accepts(field)) not in seen:
                seen.add((name, _accepts(field)))
                yield f"`{name}`", _accepts(field), _meaning(field)


def _data(schema: Schema) -> Schema:
    for branch in _branches(schema["properties"]["data"]):
        if "$ref" in branch:
            return dict(schema["$defs"][branch["$ref"].rpartition("/")[2]])
    raise ValueError(f"{schema['$id']} has no data")


def _accepts(schema: Schema) -> str:
    """What a field accepts, for people."""
    named = next(branch for branch in _branches(schema) if branch.get("type") != "null")
    if "const" in named:
        return f'`"{named["const"]}"`'
    if "enum" in named:
        return " or ".join(f"`{choice}`" for choice in named["enum"])
    match named["type"]:
        case "string" if named.get("format") == "date-time":
            return "date and time"
        case "string":
            return f"text, {named['minLength']} to {named['maxLength']} characters"
        case "integer":
            return f"whole number, {named['minimum']} to {named['maximum']}, default {named['default']}"
        case _:
            return "object: item to number or null"


def _meaning(schema: Schema) -> str:
    return str(next((branch["description"] for branch in _branches(schema) if "description" in branch), ""))


def _write(is_freezing: bool) -> list[Path]:
    """Bring every published file up to date; the files that changed."""
    wanted = {FOLDER / name: text for name, text in files().items()}
    if is_freezing:
        wanted |= {FROZEN / name: text for name, text in files().items() if not (FROZEN / name).exists()}
    if PAGE.exists():
        wanted[PAGE] = page(PAGE.read_text(encoding="utf-8"))
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8", newline="\n")
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files that have changed and print their names."""
    parser = argparse.ArgumentParser(prog="python -m schemas.publish", description="Write the published contracts.")
    parser.add_argument("--freeze", action="store_true", help="keep a first copy of schemas that have none yet")
    changed = _write(parser.parse_args(arguments).freeze)
    sys.stdout.write("".join(f"wrote {path.name}\n" for path in changed) or "everything is up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
