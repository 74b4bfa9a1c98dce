"""The checks of an instrument definition.

In: a definition as it was written. Out: its first problem, with its place and what to do, or None.
Never: correct a definition; accept a rule that no answers could ever satisfy.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from math import isfinite
from typing import NamedTuple

from schemas.instruments.arithmetic import check_answers, prepare, score
from schemas.instruments.definition import INGREDIENTS, LICENCES, Definition, Instrument, Item, Vector

#: Each allowed answer of an item is kept in a table; no scale in use is finer or longer than this.
MOST_DECIMALS = 3
MOST_STEPS = 10_000
_LARGEST = 1_000_000
#: Half of the sixth decimal, to which scores are rounded.
_TOLERANCE = 5e-7

_INSTRUMENT_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*/[1-9][0-9]*")
_ITEM_ID = re.compile(r"[a-z][a-z0-9_]*")
#: Enough for any name; ids are columns of the store and headings of reports.
_LONGEST_ID = 64


class Problem(NamedTuple):
    """`place` is a key path; `sentence` says what is wrong and what to do."""

    place: str
    sentence: str


def first_problem(definition: Definition) -> Problem | None:
    """The first thing wrong with a definition; each check relies on those before it."""
    return next(chain.from_iterable(check(definition) for check in _CHECKS), None)


def _names(definition: Definition) -> Iterator[Problem]:
    if not _INSTRUMENT_ID.fullmatch(definition.id) or len(definition.id) > _LONGEST_ID:
        yield Problem("id", f"{definition.id!r} is not an id; write it as name/version, such as 'my-checkin/1'")
    if not definition.name.strip():
        yield Problem("name", "it is empty; give the name of the instrument")
    if definition.licence.status not in LICENCES:
        allowed = " or ".join(map(repr, LICENCES))
        yield Problem("licence.status", f"{definition.licence.status!r} is not a status; use {allowed}")
    if not definition.licence.notice.strip():
        yield Problem("licence.notice", "it is empty; say who owns the instrument and on which terms")


def _whole_numbers(definition: Definition) -> Iterator[Problem]:
    places = {"decimals": definition.decimals, "missing.total_at_least": definition.missing.total_at_least}
    for ingredient, at_least in definition.missing.ingredient_at_least.items():
        places[f"missing.ingredient_at_least.{ingredient}"] = at_least
    for place, number in places.items():
        if abs(number) > _LARGEST:
            yield Problem(place, "the number is too large; give a small one")


def _scale(definition: Definition) -> Iterator[Problem]:
    low, high, decimals = definition.minimum, definition.maximum, definition.decimals
    for place, value in (("minimum", low), ("maximum", high)):
        if not isfinite(value) or abs(value) > _LARGEST:
            yield Problem(place, f"{value:g} cannot end a scale; give a number within a million of 0")
    if low >= high:
        yield Problem("maximum", f"{high:g} is not above the minimum {low:g}; swap or correct them")
    if not 0 <= decimals <= MOST_DECIMALS:
        yield Problem("decimals", f"{decimals} is not a resolution; give a whole number from 0 to {MOST_DECIMALS}")
    for place, value in (("minimum", low), ("maximum", high)):
        if round(value, decimals) != value:
            yield Problem(place, f"{value:g} is finer than the resolution; raise decimals or round it")
    if round((high - low) * 10**decimals) > MOST_STEPS:
        yield Problem("decimals", f"the scale has more than {MOST_STEPS} steps; use fewer decimals")


def _items(definition: Definition) -> Iterator[Problem]:
    if not definition.items:
        yield Problem("items", "there are none; add an [[items]] table for each question")
    seen: set[str] = set()
    for number, item in enumerate(definition.items, 1):
        place = f"[[items]] no. {number}"
        if not _ITEM_ID.fullmatch(item.id) or len(item.id) > _LONGEST_ID:
            yield Problem(f"{place}, id", f"{item.id!r} is not an id; use lower-case letters, digits and _")
        if item.id in seen:
            yield Problem(f"{place}, id", f"{item.id!r} is used twice; give every item its own id")
        seen.add(item.id)
        yield from _item_ingredients(item, f"{place}, ingredients")


def _item_ingredients(item: Item, place: str) -> Iterator[Problem]:
    known = ", ".join(INGREDIENTS)
    if not item.ingredients:
        yield Problem(place, f"the list is empty; name one or more of {known}")
    for ingredient, count in Counter(item.ingredients).items():
        if ingredient not in INGREDIENTS:
            yield Problem(place, f"{ingredient!r} is not an ingredient; use one or more of {known}")
        if count > 1:
            yield Problem(place, f"{ingredient!r} is named twice; name it once")


def _wording(definition: Definition) -> Iterator[Problem]:
    if definition.licence.status == "open":
        return
    way_out = "take it out, or set licence.status to 'open' if the wording may be passed on"
    if definition.anchors is not None:
        yield Problem("anchors", f"wording of a restricted instrument; {way_out}")
    for number, item in enumerate(definition.items, 1):
        if item.client is not None or item.therapist is not None:
            yield Problem(f"[[items]] no. {number}", f"wording of a restricted instrument; {way_out}")


def _missing_items(definition: Definition) -> Iterator[Problem]:
    count = len(definition.items)
    if not 1 <= definition.missing.total_at_least <= count:
        yield Problem(
            "missing.total_at_least",
            f"{definition.missing.total_at_least} of {count} items is impossible; give a number from 1 to {count}",
        )
    belonging = Counter(ingredient for item in definition.items for ingredient in item.ingredients)
    for ingredient, at_least in definition.missing.ingredient_at_least.items():
        place = f"missing.ingredient_at_least.{ingredient}"
        most = belonging[ingredient]
        if not most:
            yield Problem(place, "no item has this ingredient; remove the line or correct the name")
        elif not 1 <= at_least <= most:
            yield Problem(place, f"{at_least} of {most} items is impossible; give a number from 1 to {most}")


def _cutoff(definition: Definition) -> Iterator[Problem]:
    if definition.cutoff is None:
        return
    below, count = definition.cutoff.below, len(definition.items)
    lowest, highest = count * definition.minimum, count * definition.maximum
    if not lowest < below <= highest:
        yield Problem(
            "cutoff.below",
            f"{below:g} leaves all totals on one side; the sum of the items runs from {lowest:g} to "
            f"{highest:g}, so give a value above {lowest:g} and at most {highest:g}",
        )
    if not definition.cutoff.source.strip():
        yield Problem("cutoff.source", "it is empty; say where the value comes from")


def _standard_error(definition: Definition) -> Iterator[Problem]:
    if definition.standard_error is None:
        return
    width = len(definition.items) * (definition.maximum - definition.minimum)
    if not 0 < definition.standard_error.raw < width:
        yield Problem(
            "standard_error.raw",
            f"{definition.standard_error.raw:g} cannot be a standard error; give a value above 0 and below {width:g}",
        )
    if not definition.standard_error.source.strip():
        yield Problem("standard_error.source", "it is empty; say where the value comes from")


def _vectors(definition: Definition) -> Iterator[Problem]:
    instrument = prepare(definition)
    for number, vector in enumerate(definition.vectors, 1):
        yield from _vector(instrument, vector, f"[[vectors]] no. {number}")


def _vector(instrument: Instrument, vector: Vector, place: str) -> Iterator[Problem]:
    refused = check_answers(instrument, vector.answers)
    if refused is not None:
        yield Problem(f"{place}, answers", f"{refused[1]}; correct the answers")
        return
    scores = score(instrument, vector.answers)
    if not _agree(vector.total, scores.total):
        yield Problem(f"{place}, total", _disagreement(vector.total, scores.total))
    for ingredient in sorted(vector.ingredients.keys() | scores.ingredients.keys()):
        expected, got = vector.ingredients.get(ingredient), scores.ingredients.get(ingredient)
        if not _agree(expected, got):
            yield Problem(f"{place}, ingredients.{ingredient}", _disagreement(expected, got))


def _agree(expected: float | None, got: float | None) -> bool:
    if expected is None or got is None:
        return expected is got
    return abs(expected - got) <= _TOLERANCE


def _disagreement(expected: float | None, got: float | None) -> str:
    stated = "no score" if expected is None else f"{expected:.6g}"
    computed = "no score" if got is None else f"{got:.6g}"
    return f"the example says {stated}, the rules give {computed}; correct the one that is wrong"


_CHECKS = (_names, _whole_numbers, _scale, _items, _wording, _missing_items, _cutoff, _standard_error, _vectors)
