"""Whether a changed JSON Schema keeps the promises of the older one.

In: an older and a newer schema, or the current files and a git revision. Out: a sentence for each broken promise.
Never: compare wording; titles and descriptions may change freely.

Events that senders may send stay accepted, and stored messages stay readable, so a schema never becomes narrower. A
field without a name was ignored with any content, so a field that gets a name must accept anything. For messages that
the worker writes, readers rely on more (`both_ways`): a field that was always there stays, and gets no new form. Only
the worker writes them, so a new field takes nothing away.

Only the part of JSON Schema that `schemas.publish` writes is compared; a union has at most one form for each JSON type.
"""

import argparse
import json
import operator
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from schemas.publish import FOLDER, FROZEN, OUTGOING

Schema = dict[str, Any]

#: Keywords that forbid more with a greater value, and keywords that forbid more with a smaller one.
_FLOORS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_CEILINGS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
#: Keywords that may be added, removed and changed here: they forbid nothing, or the functions below compare them.
_WORDS = {"title", "description", "default", "examples"}
_FREE = {*_WORDS, "$schema", "$id", "$defs", "$ref", "type", "enum", "const"}
_FREE |= {"anyOf", "oneOf", "properties", "required", "additionalProperties", "items", "prefixItems"}
_FREE |= {*_FLOORS, *_CEILINGS}


class _Pair(NamedTuple):
    """The same place in both schemas, with the documents that `$ref` points into."""

    place: str
    old: Any
    new: Any
    old_document: Schema
    new_document: Schema
    is_outgoing: bool

    def at(self, place: str, old: Any, new: Any) -> "_Pair":
        return self._replace(place=f"{self.place}.{place}".lstrip("."), old=old, new=new)

    @property
    def name(self) -> str:
        return f"`{self.place}`" if self.place else "the message"


def breaking_changes(old: Schema, new: Schema, *, both_ways: bool = False) -> list[str]:
    """One sentence for each change that could break a sender, a stored message or, with `both_ways`, a reader."""
    pair = _Pair("", old, new, old, new, both_ways)
    sentences = list(_narrowed(pair, frozenset()))
    if both_ways:
        sentences += _widened(pair, frozenset())
    return list(dict.fromkeys(sentences))


def _narrowed(pair: _Pair, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
    """What the new schema refuses and the old one accepted."""
    old_forms, new_forms = _forms(pair.old, pair.old_document), _forms(pair.new, pair.new_document)
    yield from _default(pair)
    for kind, old in old_forms.items():
        new = _counterpart(kind, new_forms)
        if new is None:
            yield f"{pair.name} {_lost(kind, new_forms)}"
            continue
        form = pair._replace(old=old, new=new)
        yield from _limits(form)
        marker = (str(pair.old), str(pair.new))
        if marker not in seen:
            for sub in _shared(form):
                yield from _narrowed(sub, seen | {marker})


def _counterpart(kind: str, forms: Mapping[str, Schema]) -> Schema | None:
    """The form that accepts values of this kind."""
    wider = ("number", "any") if kind == "integer" else ("any",)
    return next((forms[name] for name in (kind, *wider) if name in forms), None)


def _lost(kind: str, left: Mapping[str, Schema]) -> str:
    return f"accepts only {' or '.join(left)} now" if kind == "any" else f"no longer accepts {_a(kind)}"


def _limits(form: _Pair) -> Iterator[str]:
    yield from _values(form)
    yield from _bounds(form)
    yield from _unjudged(form)
    yield from _properties(form)
    yield from _others(form)
    yield from _columns(form)


def _forms(schema: Any, document: Schema) -> dict[str, Schema]:
    """A schema's alternatives by JSON type; `any` when it names none."""
    schema = _resolved(schema, document)
    if isinstance(schema, bool):
        return {"any": {}} if schema else {}
    for union in ("anyOf", "oneOf"):
        if union in schema:
            beside = {keyword: value for keyword, value in schema.items() if keyword not in (union, *_WORDS)}
            alternatives = [_forms(alternative, document) for alternative in schema[union]]
            allowed = _listed_types(beside.get("type", "any"))
            return {
                kind: {**form, **beside}
                for forms in alternatives
                for kind, form in forms.items()
                if "any" in allowed or kind in (*allowed, "any")
            }
    types = schema.get("type") or sorted({_type_of(value) for value in _choices(schema) or ()}) or "any"
    return dict.fromkeys(_listed_types(types), schema)


def _listed_types(types: str | Sequence[str]) -> Sequence[str]:
    """A `type` keyword as a list."""
    return [types] if isinstance(types, str) else types


def _resolved(schema: Any, document: Schema) -> Any:
    """The schema with its `$ref` to `#/$defs/<name>` replaced; keywords beside the `$ref` count too."""
    while isinstance(schema, dict) and "$ref" in schema:
        target = document["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        schema = {**target, **{keyword: value for keyword, value in schema.items() if keyword != "$ref"}}
    return schema


def _type_of(value: Any) -> str:
    names = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def _choices(schema: Schema) -> list[Any] | None:
    choices: list[Any] | None = schema.get("enum")
    if "const" not in schema:
        return choices
    return [schema["const"]] if choices is None or schema["const"] in choices else []


def _values(form: _Pair) -> Iterator[str]:
    old, new = _choices(form.old), _choices(form.new)
    if new is not None and old is None:
        yield f"{form.name} accepts only {_listed(new)} now"
    elif new is not None and old is not None:
        gone = [value for value in old if value not in new]
        if gone and len(old) == len(new) == 1:
            yield f"{form.name} was {_listed(old)} and is {_listed(new)} now"
        elif gone:
            yield f"{form.name} no longer accepts {_listed(gone)}"


def _default(pair: _Pair) -> Iterator[str]:
    old, new = _resolved(pair.old, pair.old_document), _resolved(pair.new, pair.new_document)
    if not isinstance(old, dict) or not isinstance(new, dict) or "default" not in old:
        return
    meant = f"when it is left out, it meant {_listed([old['default']])}"
    if "default" not in new:
        yield f"{pair.name} means nothing {meant}"
    elif new["default"] != old["default"]:
        yield f"{pair.name} means {_listed([new['default']])} {meant}"


def _bounds(form: _Pair) -> Iterator[str]:
    for keywords, is_tighter in ((_FLOORS, _is_above), (_CEILINGS, _is_below)):
        for keyword in keywords:
            old, new = form.old.get(keyword), form.new.get(keyword)
            if new is not None and is_tighter(new, old, keyword):
                yield f"{form.name} has the {keyword} {new} now" + ("" if old is None else f", it was {old}")


def _unjudged(form: _Pair) -> Iterator[str]:
    """Keywords such as `pattern` or `format`: only their absence is known to forbid nothing."""
    for keyword in sorted(form.new.keys() - _FREE):
        if form.new[keyword] != form.old.get(keyword):
            yield f"{form.name} must have the {keyword} {_listed([form.new[keyword]])} now"


def _is_above(new: float, old: float | None, keyword: str) -> bool:
    if old is None:
        return new > 0 or keyword in ("minimum", "exclusiveMinimum")
    return new > old


def _is_below(new: float, old: float | None, keyword: str) -> bool:
    return old is None or new < old


def _properties(form: _Pair) -> Iterator[str]:
    old, new = form.old.get("properties", {}), form.new.get("properties", {})
    added = [name for name in new if name not in old]
    for name in old:
        if name not in new:
            renamed = [candidate for candidate in added if new[candidate] == old[name]]
            hint = f"; is it `{renamed[0]}` now? A new name is a new promise" if renamed else ""
            yield f"{form.at(name, None, None).name} has been removed{hint}"
    for name in form.new.get("required", ()):
        if name not in form.old.get("required", ()):
            yield f"{form.at(name, None, None).name} must be there now"


def _others(form: _Pair) -> Iterator[str]:
    """Fields that are not named."""
    old, new = form.old.get("additionalProperties", True), form.new.get("additionalProperties", True)
    if new is False and old is not False:
        yield f"{form.name} no longer accepts fields that are not named"
    elif old is True and isinstance(new, dict):
        yield f"{form.name} no longer accepts just any field that is not named"


def _columns(form: _Pair) -> Iterator[str]:
    """The named places of a row; one more at the end breaks nothing."""
    old = [column.get("title") for column in form.old.get("prefixItems", ())]
    new = [column.get("title") for column in form.new.get("prefixItems", ())]
    if new[: len(old)] != old:
        yield f"{form.name} had the columns {_listed(old)} and has {_listed(new)} now"


def _shared(form: _Pair) -> Iterator[_Pair]:
    """The places inside that both schemas describe; a field without a name accepted what unnamed fields accept."""
    old, new = form.old.get("properties", {}), form.new.get("properties", {})
    unnamed = form.old.get("additionalProperties", True)
    for name in new:
        if name in old:
            yield form.at(name, old[name], new[name])
        elif not form.is_outgoing and unnamed is not False and name not in form.new.get("required", ()):
            yield form.at(name, unnamed, new[name])
    for keyword, label in (("additionalProperties", "*"), ("items", "[]")):
        if isinstance(form.old.get(keyword), dict) and isinstance(form.new.get(keyword), dict):
            yield form.at(label, form.old[keyword], form.new[keyword])
    columns = zip(form.old.get("prefixItems", ()), form.new.get("prefixItems", ()), strict=False)
    for place, (before, now) in enumerate(columns):
        yield form.at(f"[{place}]", before, now)


def _widened(pair: _Pair, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
    """What a reader of the old schema may receive and does not expect."""
    old_forms, new_forms = _forms(pair.old, pair.old_document), _forms(pair.new, pair.new_document)
    for kind, new in new_forms.items():
        old = _counterpart(kind, old_forms)
        if old is None:
            yield f"{pair.name} can be {_a(kind)} now"
            continue
        form = pair._replace(old=old, new=new)
        yield from _new_values(form)
        yield from _no_longer_certain(form)
        marker = (str(pair.old), str(pair.new))
        if marker not in seen:
            for sub in _shared(form):
                yield from _widened(sub, seen | {marker})


def _new_values(form: _Pair) -> Iterator[str]:
    old, new = _choices(form.old), _choices(form.new)
    if old is None:
        return
    fresh = [value for value in new or () if value not in old]
    if new is None or fresh:
        yield f"{form.name} can be {_listed(fresh) if new else 'anything'} now"


def _no_longer_certain(form: _Pair) -> Iterator[str]:
    properties = form.new.get("properties", {})
    for name in form.old.get("required", ()):
        if name in properties and name not in form.new.get("required", ()):
            yield f"{form.at(name, None, None).name} may be missing now"
    for keyword in sorted(form.old.keys() - _FREE):
        if keyword not in form.new:
            yield f"{form.name} is no longer sure to have the {keyword} {_listed([form.old[keyword]])}"
    for keywords, is_looser in ((_FLOORS, operator.lt), (_CEILINGS, operator.gt)):
        for keyword in form.old.keys() & {*keywords}:
            old, new = form.old[keyword], form.new.get(keyword)
            if new is None or is_looser(new, old):
                now = "" if new is None else f", it is {new} now"
                yield f"{form.name} is no longer sure to have the {keyword} {old}{now}"


def _a(kind: str) -> str:
    return {"null": "null", "any": "anything"}.get(kind, f"{'an' if kind[0] in 'aio' else 'a'} {kind}")


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(json.dumps(value, ensure_ascii=False) for value in values)


def changes_since(old_files: Mapping[str, Schema], new_files: Mapping[str, Schema]) -> list[str]:
    """Every broken promise of a whole folder; a new file breaks nothing."""
    sentences = []
    for name, old in sorted(old_files.items()):
        if name not in new_files:
            sentences.append(f"{name}: has been removed")
            continue
        is_outgoing = name.removesuffix(".json") in OUTGOING
        sentences += [
            f"{name}: {sentence}" for sentence in breaking_changes(old, new_files[name], both_ways=is_outgoing)
        ]
    return sentences


def read_folder(folder: Path) -> dict[str, Schema]:
    """The schemas of a folder, by file name."""
    return {file.name: json.loads(file.read_bytes()) for file in sorted(folder.glob("*.json"))}


class NoSuchRevision(Exception):
    """git cannot read this revision; the message says why."""


def read_revision(folder: Path, revision: str) -> dict[str, Schema]:
    """The schemas that the folder held at a git revision, by file name."""
    listed = _git(folder, "ls-tree", "--name-only", revision, "./")
    names = [name for name in listed.splitlines() if name.endswith(".json")]
    return {name: json.loads(_git(folder, "show", f"{revision}:./{name}")) for name in names}


def default_base(folder: Path) -> str:
    """The last tag; without one, the commit where this branch left `main`."""
    try:
        return _git(folder, "describe", "--tags", "--abbrev=0").strip()
    except NoSuchRevision:
        return _git(folder, "merge-base", "HEAD", "main").strip()


def _git(folder: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except OSError as error:
        raise NoSuchRevision(f"git cannot be run ({error.strerror})") from error
    except subprocess.CalledProcessError as error:
        raise NoSuchRevision(error.stderr.strip() or f"git {arguments[0]} failed") from error
    return answer.stdout


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Compare with a revision. Exit code 0: nothing is broken, 1: a list of what is broken, 2: no such revision."""
    parser = argparse.ArgumentParser(prog="python -m schemas.compatibility", description=str(main.__doc__))
    parser.add_argument("--base", metavar="REV", help="the revision to compare with (default: the last tag, else main)")
    base = parser.parse_args(arguments).base
    try:
        base = base or default_base(folder)
        before = read_revision(folder, base)
        sentences = changes_since(before, read_folder(folder)) + _tampered(folder / FROZEN.name, base)
    except NoSuchRevision as error:
        sys.stderr.write(f"{error}\nName a revision with --base REV.\n")
        return 2
    verdict = f"Every promise made at {base} is kept.\n" if before else f"Nothing had been promised at {base} yet.\n"
    sys.stdout.write("".join(f"{sentence}\n" for sentence in sentences) or verdict)
    return 1 if sentences else 0


def _tampered(frozen: Path, base: str) -> list[str]:
    """Frozen copies that have been changed."""
    if not frozen.is_dir():
        return []
    now = read_folder(frozen)
    changed = [name for name, schema in read_revision(frozen, base).items() if now.get(name) != schema]
    return [f"{frozen.name}/{name}: has been changed; restore it as it was first published" for name in changed]


if __name__ == "__main__":
    sys.exit(main())
