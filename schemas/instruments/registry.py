"""The instruments known here: the shipped ones and a practice's own, each checked when it is loaded.

In: a folder of TOML files (docs/instruments.md says what one looks like). Out: instruments by id.
Never: a half-checked instrument; a practice's file in the place of a shipped one.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from schemas.instruments.arithmetic import prepare
from schemas.instruments.checks import first_problem
from schemas.instruments.definition import Definition, Instrument

_SHIPPED = Path(__file__).parent
_SUFFIX = ".toml"
_EXAMPLE = "docs/instruments.md shows an example"
#: Files that may be beside the definitions and are not reported.
_NOTES = (".md", ".txt")


class InstrumentError(Exception):
    """One sentence: which file, which place in it, what is wrong and what to do."""


def load_instruments(folder: Path | None) -> Mapping[str, Instrument]:
    """The shipped instruments and those of the practice's own folder, if there is one, by id."""
    instruments: dict[str, Instrument] = {}
    sources: dict[str, Path] = {}
    for file in (*_files(_SHIPPED), *(() if folder is None else _files(folder))):
        instrument = load_instrument(file)
        if instrument.id in sources:
            raise _already_defined(file, instrument.id, sources[instrument.id])
        instruments[instrument.id] = instrument
        sources[instrument.id] = file
    return MappingProxyType(instruments)


def load_instrument(file: Path) -> Instrument:
    """The instrument that one TOML file defines, checked."""
    definition = _definition(file)
    problem = first_problem(definition)
    if problem is not None:
        raise InstrumentError(f"{file}, {problem.place}: {problem.sentence}.")
    return prepare(definition)


def ignored_files(folder: Path | None) -> list[str]:
    """Files in the practice's folder that are not read, because their names do not end in .toml; without notes."""
    if folder is None:
        return []
    return [file.name for file in _visible(folder) if file.suffix.lower() not in (_SUFFIX, *_NOTES)]


def fingerprint(instruments: Mapping[str, Instrument]) -> str:
    """Twelve hex digits that change if a score, a refusal or a threshold could change; wording does not count."""
    rules = sorted(_rules(instrument) for instrument in instruments.values())
    return blake2b(msgspec.json.encode(rules), digest_size=6).hexdigest()


def _rules(instrument: Instrument) -> list[Any]:
    items = [[item.id, item.reversed, sorted(item.ingredients)] for item in instrument.items]
    return [
        instrument.id,
        [instrument.minimum, instrument.maximum, instrument.decimals],
        sorted(items),
        [instrument.missing.total_at_least, instrument.missing.total_needs_every_ingredient],
        [[rule.ingredient, rule.at_least] for rule in instrument.ingredient_rules],
        [instrument.cutoff_share, instrument.standard_error_share],
    ]


def _files(folder: Path) -> Iterable[Path]:
    return [file for file in _visible(folder) if file.suffix.lower() == _SUFFIX]


def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InstrumentError(f"{folder}: there is no such folder; create it, or leave ALLIANCE_INSTRUMENTS empty.")
    try:
        return sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    except OSError as error:
        raise InstrumentError(f"{folder}: cannot be read ({error.strerror}); correct its permissions.") from error


def _already_defined(file: Path, name: str, by: Path) -> InstrumentError:
    if by.parent == _SHIPPED:
        return InstrumentError(
            f"{file}, id: '{name}' is a shipped instrument and cannot be redefined; give yours another name, "
            f"such as 'my-{name}'."
        )
    return InstrumentError(f"{file}, id: '{name}' is already defined in {by}; give one of the two another id.")


def _definition(file: Path) -> Definition:
    try:
        # utf-8-sig: some editors begin a file with a byte order mark.
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8-sig")), Definition)
    except PermissionError as error:
        raise InstrumentError(f"{file}: cannot be read ({error.strerror}); correct its permissions.") from error
    except OSError as error:
        raise InstrumentError(f"{file}: cannot be read ({error.strerror}); move it out of the folder.") from error
    except UnicodeDecodeError as error:
        raise InstrumentError(f"{file}, byte {error.start + 1}: not UTF-8; save the file as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(file, str(error)) from error
    except msgspec.ValidationError as error:
        raise _wrong_type(file, str(error)) from error
    except RecursionError as error:
        raise InstrumentError(f"{file}: lists or tables are nested too deeply; {_EXAMPLE}.") from error
    except ValueError as error:
        # The one valid TOML that Python refuses: a whole number of more than 4,300 digits.
        raise InstrumentError(f"{file}: it has a number with thousands of digits; write a shorter one.") from error


def _not_toml(file: Path, message: str) -> InstrumentError:
    what, _, place = message.removesuffix(")").rpartition(" (at ")
    return InstrumentError(f"{file}, {place}: not TOML ({what}); {_EXAMPLE}.")


def _wrong_type(file: Path, message: str) -> InstrumentError:
    """Turn msgspec's "Expected `int`, got `str` - at `$.items[0].id`" into a place and a sentence."""
    what, _, path = message.partition(" - at ")
    for jargon, plain in _PLAIN_WORDS.items():
        what = what.replace(jargon, plain)
    return InstrumentError(f"{file}, {_place(path.strip('`'))}: {what}; {_EXAMPLE}.")


_PLAIN_WORDS = {
    "Object missing required field": "missing key",
    "Object contains unknown field": "unknown key",
    "Expected": "expected",
    " | null`": "`",
    "`float`": "a number",
    "`int`": "a whole number",
    "`str`": "text in quotes",
    "`bool`": "true or false",
    "`array`": "a list",
    "`object`": "a table",
}


def _place(path: str) -> str:
    """Turn "$.items[0].ingredients[1]" into "[[items]] no. 1, ingredients no. 2"."""
    keys = path.removeprefix("$").removeprefix(".").replace("[...]", "")
    keys = re.sub(r"^(\w+)\[(\d+)\]\.?", lambda m: f"[[{m[1]}]] no. {int(m[2]) + 1}, ", keys)
    keys = re.sub(r"\[(\d+)\]", lambda m: f" no. {int(m[1]) + 1}", keys)
    return keys.removesuffix(", ") or "top level"
