"""Answers become shares of the instrument's range, exactly, and never a 0 for what was not answered."""

from fractions import Fraction
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.scoring import Scores, check_answers, score
from schemas.instruments import arithmetic
from schemas.instruments.arithmetic import prepare
from schemas.instruments.definition import (
    INGREDIENTS,
    Definition,
    Instrument,
    Item,
    Licence,
    MissingItems,
    Vector,
)
from schemas.instruments.registry import load_instruments

SHIPPED = load_instruments(None)
CHECKIN = SHIPPED["checkin-4/1"]
Answers = dict[str, float | None]


def an_instrument(**overrides: Any) -> Instrument:
    """Three items from 1 to 7, the last of them reversed; two answered items make a total."""
    fields: dict[str, Any] = {
        "id": "sample/1",
        "name": "Sample",
        "minimum": 1,
        "maximum": 7,
        "decimals": 0,
        "validated": False,
        "licence": Licence("open", "Ours."),
        "items": (
            Item("safe", ("trust",)),
            Item("heard", ("trust", "empathy")),
            Item("rushed", ("empathy",), reversed=True),
        ),
        "missing": MissingItems(2, ingredient_at_least={"trust": 1}),
    }
    return prepare(Definition(**fields | overrides))


SAMPLE = an_instrument()
INSTRUMENTS = [*SHIPPED.values(), SAMPLE]


def answer_sets(instrument: Instrument) -> st.SearchStrategy[Answers]:
    """Answers on the instrument's grid, any of them null or absent."""
    given = {item: st.none() | st.sampled_from(sorted(steps)) for item, steps in instrument.steps.items()}
    return st.fixed_dictionaries({}, optional=given)


any_instrument_and_answers = st.sampled_from(INSTRUMENTS).flatmap(
    lambda instrument: st.tuples(st.just(instrument), answer_sets(instrument))
)


@pytest.mark.parametrize(
    ("instrument", "vector"),
    [
        pytest.param(instrument, vector, id=f"{instrument.id}: {vector.name}")
        for instrument in SHIPPED.values()
        for vector in instrument.vectors
    ],
)
def test_the_examples_of_the_shipped_definitions_come_out(instrument: Instrument, vector: Vector) -> None:
    assert check_answers(instrument, vector.answers) is None
    assert score(instrument, vector.answers) == Scores(vector.total, vector.ingredients)


def test_a_reversed_item_counts_from_the_other_end() -> None:
    assert score(SAMPLE, {"safe": 7, "heard": 7, "rushed": 1}) == Scores(1.0, {"trust": 1.0, "empathy": 1.0})
    assert score(SAMPLE, {"safe": 1, "heard": 1, "rushed": 7}) == Scores(0.0, {"trust": 0.0, "empathy": 0.0})
    assert score(SAMPLE, {"safe": 7, "heard": 7, "rushed": 7}).total == 0.666667


@pytest.mark.parametrize("unanswered", [{"heard": None}, {}])
def test_null_and_absent_are_both_unanswered_and_neither_is_zero(unanswered: Answers) -> None:
    scores = score(SAMPLE, {"safe": 4, "rushed": 4} | unanswered)
    assert scores == Scores(0.5, {"trust": 0.5})


def test_too_few_answers_give_no_total_but_the_ingredients_that_stand_on_their_own() -> None:
    assert score(SAMPLE, {"safe": 4}) == Scores(None, {"trust": 0.5})


def test_no_answers_give_nothing() -> None:
    assert score(CHECKIN, {}) == Scores(None, {})
    assert score(CHECKIN, dict.fromkeys(CHECKIN.steps)) == Scores(None, {})


def test_a_total_may_need_every_ingredient() -> None:
    strict = an_instrument(missing=MissingItems(1, total_needs_every_ingredient=True))
    lenient = an_instrument(missing=MissingItems(1))
    one_missing: Answers = {"safe": 4, "heard": 4}
    assert score(strict, one_missing) == Scores(None, {"trust": 0.5})
    assert score(lenient, one_missing) == Scores(0.5, {"trust": 0.5})


def test_the_arithmetic_is_exact_where_binary_fractions_are_not() -> None:
    tenths: Answers = {"trust": 0.1, "empathy": 0.2, "goals": 0.3, "communication": 0.6}
    assert score(CHECKIN, tenths) == Scores(
        0.03, {"trust": 0.01, "empathy": 0.02, "goals": 0.03, "communication": 0.06}
    )


@pytest.mark.parametrize("value", [10.1, -0.1, 7.25, 0.30000000000000004, 1e-9, 1e300, -1e300, inf, -inf, nan])
def test_an_answer_off_the_scale_is_refused(value: float) -> None:
    refused = check_answers(CHECKIN, {"trust": 7.5, "empathy": value})
    assert refused == (
        "answer-out-of-range",
        "item empathy of checkin-4/1 takes numbers with at most one decimal from 0 to 10",
    )


def test_an_item_of_another_instrument_is_refused_even_when_it_is_null() -> None:
    refused = check_answers(CHECKIN, {"trust": 7.5, "overall": None})
    assert refused == ("unknown-item", "checkin-4/1 has only the items trust, empathy, goals, communication")


def test_a_refusal_repeats_nothing_that_was_received() -> None:
    for answers in ({"Jane Canary": 1.0}, {"trust": 86753.09}):
        refused = check_answers(CHECKIN, answers)
        assert refused is not None
        assert not {"Canary", "86753"} & set(refused[1].replace(".", " ").split())


def test_whole_numbers_are_answers_on_a_one_decimal_scale() -> None:
    assert check_answers(CHECKIN, {"trust": 7, "empathy": 0, "goals": 10, "communication": -0.0}) is None
    assert score(CHECKIN, {"trust": 7, "empathy": 0, "goals": 10, "communication": -0.0}).total == 0.425


def test_every_tenth_of_a_one_decimal_scale_is_allowed() -> None:
    assert all(check_answers(CHECKIN, {"trust": float(f"{tenths / 10:.1f}")}) is None for tenths in range(101))


@given(any_instrument_and_answers)
def test_scores_lie_between_0_and_1(case: tuple[Instrument, Answers]) -> None:
    instrument, answers = case
    assert check_answers(instrument, answers) is None
    scores = score(instrument, answers)
    assert all(0 <= value <= 1 for value in scores.ingredients.values())
    assert scores.total is None or 0 <= scores.total <= 1
    assert set(scores.ingredients) <= set(INGREDIENTS)


@given(any_instrument_and_answers)
def test_scores_are_the_rounded_mean_of_the_answered_items(case: tuple[Instrument, Answers]) -> None:
    instrument, answers = case
    scores = score(instrument, answers)
    _assert_mean(scores.total, instrument, answers, {item.id for item in instrument.items})
    for ingredient, value in scores.ingredients.items():
        _assert_mean(
            value, instrument, answers, {item.id for item in instrument.items if ingredient in item.ingredients}
        )


def _assert_mean(value: float | None, instrument: Instrument, answers: Answers, items: set[str]) -> None:
    """The plain reading of the rule, in fractions."""
    if value is None:
        return
    low, high = Fraction(str(instrument.minimum)), Fraction(str(instrument.maximum))
    turned = {item.id for item in instrument.items if item.reversed}
    given = [(item, Fraction(str(answer))) for item, answer in answers.items() if item in items and answer is not None]
    raw = [low + high - answer if item in turned else answer for item, answer in given]
    assert value == round(float((sum(raw) / len(raw) - low) / (high - low)), 6)


@given(any_instrument_and_answers, st.data())
def test_a_better_answer_never_lowers_a_score(case: tuple[Instrument, Answers], data: st.DataObject) -> None:
    instrument, answers = case
    answered = sorted(item for item, answer in answers.items() if answer is not None)
    if not answered:
        return
    item = data.draw(st.sampled_from(answered))
    steps = instrument.steps[item]
    better = data.draw(st.sampled_from([value for value, step in steps.items() if step >= steps[answers[item] or 0]]))
    reverse = next(it.reversed for it in instrument.items if it.id == item)
    assert (better <= (answers[item] or 0)) if reverse else (better >= (answers[item] or 0))
    before, after = score(instrument, answers), score(instrument, answers | {item: better})
    assert (before.total is None) == (after.total is None)
    assert (before.total or 0) <= (after.total or 0)
    assert before.ingredients.keys() == after.ingredients.keys()
    assert all(before.ingredients[name] <= after.ingredients[name] for name in before.ingredients)


@given(any_instrument_and_answers, st.randoms(use_true_random=False))
def test_the_order_of_the_answers_changes_nothing(case: tuple[Instrument, Answers], chance: Any) -> None:
    instrument, answers = case
    shuffled = list(answers.items())
    chance.shuffle(shuffled)
    assert score(instrument, dict(shuffled)) == score(instrument, answers)


def test_the_core_and_the_definitions_share_one_arithmetic() -> None:
    assert (score, check_answers, Scores) == (arithmetic.score, arithmetic.check_answers, arithmetic.Scores)
