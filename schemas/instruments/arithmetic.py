"""The arithmetic of instruments: answers in, shares of the instrument's range out.

In: an instrument and one check-in's answers, by item id; null and absent both mean "not answered".
Out: scores from 0 (worst) to 1 (best), or why the answers cannot be scored.
Never: a number in the place of a missing answer; a float sum whose result depends on the order of the items.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict

from schemas.instruments.definition import INGREDIENTS, Definition, IngredientRule, Instrument

Reason = Literal["unknown-item", "answer-out-of-range"]

#: Scores have six decimals.
_MILLION = 1_000_000


class Scores(Struct, frozen=True, gc=False):
    """Shares of the instrument's range, 0 to 1. With too few answers there is no total, or no such ingredient."""

    total: float | None
    ingredients: dict[str, float]


def score(instrument: Instrument, answers: Mapping[str, float | None]) -> Scores:
    """The mean of the answered items after reversal, as a share; the answers have passed `check_answers`."""
    answer = answers.get
    given: dict[str, int] = {}
    for item, steps in instrument.steps.items():
        value = answer(item)
        if value is not None:
            given[item] = steps[value]
    ingredients = _ingredient_scores(instrument, given)
    missing = instrument.missing
    if len(given) < missing.total_at_least or (
        missing.total_needs_every_ingredient and len(ingredients) < len(instrument.ingredient_rules)
    ):
        return Scores(None, ingredients)
    return Scores(_share(sum(given.values()), len(given) * instrument.span), ingredients)


def check_answers(instrument: Instrument, answers: Mapping[str, float | None]) -> tuple[Reason, str] | None:
    """Why these answers do not fit this instrument, or None; the detail repeats nothing that was received."""
    steps = instrument.steps
    for item, value in answers.items():
        allowed = steps.get(item)
        if allowed is None:
            return "unknown-item", f"{instrument.id} has only the items {', '.join(steps)}"
        if value is not None and value not in allowed:
            return "answer-out-of-range", f"item {item} of {instrument.id} takes {_scale(instrument)}"
    return None


def prepare(definition: Definition) -> Instrument:
    """The definition with its scoring tables; the definition has been checked."""
    upward = _steps(definition)
    span = len(upward) - 1
    downward = {value: span - step for value, step in upward.items()}
    return Instrument(
        **asdict(definition),
        steps={item.id: downward if item.reversed else upward for item in definition.items},
        span=span,
        ingredient_rules=_ingredient_rules(definition),
        cutoff_share=_cutoff_share(definition),
        standard_error_share=_standard_error_share(definition),
    )


def _ingredient_scores(instrument: Instrument, given: dict[str, int]) -> dict[str, float]:
    scores = {}
    span = instrument.span
    for rule in instrument.ingredient_rules:
        sum_of_steps = count = 0
        for item in rule.items:
            if item in given:
                sum_of_steps += given[item]
                count += 1
        if count >= rule.at_least:
            scores[rule.ingredient] = _share(sum_of_steps, count * span)
    return scores


def _share(steps: int, span: int) -> float:
    """`steps` / `span` to six decimals, halves rounded up; whole numbers until the last division, so exact."""
    return (steps * _MILLION + span // 2) // span / _MILLION


def _scale(instrument: Instrument) -> str:
    precision = {0: "whole numbers", 1: "numbers with at most one decimal"}.get(
        instrument.decimals, f"numbers with at most {instrument.decimals} decimals"
    )
    return f"{precision} from {instrument.minimum:g} to {instrument.maximum:g}"


def _steps(definition: Definition) -> dict[float, int]:
    per_unit = 10**definition.decimals
    span = round((definition.maximum - definition.minimum) * per_unit)
    return {round(definition.minimum + step / per_unit, definition.decimals): step for step in range(span + 1)}


def _ingredient_rules(definition: Definition) -> tuple[IngredientRule, ...]:
    rules = []
    for ingredient in INGREDIENTS:
        items = tuple(item.id for item in definition.items if ingredient in item.ingredients)
        if items:
            at_least = definition.missing.ingredient_at_least.get(ingredient, len(items))
            rules.append(IngredientRule(ingredient, items, at_least))
    return tuple(rules)


def _cutoff_share(definition: Definition) -> float | None:
    if definition.cutoff is None:
        return None
    above = definition.cutoff.below - len(definition.items) * definition.minimum
    return round(above / _raw_range(definition), 6)


def _standard_error_share(definition: Definition) -> float | None:
    if definition.standard_error is None:
        return None
    return round(definition.standard_error.raw / _raw_range(definition), 6)


def _raw_range(definition: Definition) -> float:
    return len(definition.items) * (definition.maximum - definition.minimum)
