"""The field's rules: what they say, and the lifecycle that they share with the product."""

import random

import pytest

from alliance.evaluation.baselines import RULES, Scored, flagged, references


def openings(name: str, *scores: float, limit: float | None = None) -> list[int]:
    """Sessions at which a rule flags these scores, at its usual limit unless another is given."""
    rule = RULES[name]
    numbered: list[Scored] = list(enumerate(scores, start=1))
    return list(flagged(numbered, references(rule, numbered), rule.usual if limit is None else limit))


@pytest.mark.parametrize(
    ("name", "scores", "expected"),
    [
        ("level", (0.95, 0.89), [2]),
        ("level", (0.95, 0.90), []),
        ("drop", (0.95, 0.92), [2]),
        ("level-or-drop", (0.95, 0.925), [2]),
        ("level-or-drop", (0.95, 0.93), []),
        ("reliable-change", (0.95, 0.84), [2]),
        ("reliable-change", (0.95, 0.86), []),
        ("change-from-first", (0.95, 0.90, 0.84), [3]),
        ("drop-from-best", (0.95, 0.90, 0.84), [3]),
        ("own-sd", (0.90, 0.92, 0.94, 0.86), [4]),
        ("own-sd", (0.90, 0.92, 0.50), []),
        ("own-sd-strict", (0.90, 0.92, 0.94, 0.86), []),
        ("xmr", (0.90, 0.92, 0.94, 0.80), [4]),
        ("xmr-runs", (0.90, 0.92, 0.94, 0.80), [4]),
        ("xmr-runs", (*(0.90, 0.94) * 6, 0.82, 0.82), [14]),
        ("xmr-runs", (*(0.90, 0.94) * 6, 0.82, 0.92, 0.82), [15]),
        ("xmr-runs", (*(0.90, 0.94) * 6, 0.82, 0.92, 0.92, 0.82), []),
        ("xmr", (*(0.90, 0.94) * 6, 0.82, 0.82), []),
        ("xmr-runs", (1.0, 1.0, 1.0, *[0.96] * 7), [10]),
        ("xmr-runs", (1.0, 1.0, 1.0, *[0.96] * 6), []),
        ("xmr-runs", (0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93), [7]),
        ("xmr-runs", (0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.94), []),
        ("xmr-runs", (0.95,) * 12, []),
    ],
)
def test_a_rule_flags_where_its_formula_says(name: str, scores: tuple[float, ...], expected: list[int]) -> None:
    assert openings(name, *scores) == expected


@pytest.mark.parametrize("name", RULES)
def test_what_a_limit_leaves_alone_a_greater_one_leaves_alone_too(name: str) -> None:
    rule = RULES[name]
    for seed in range(40):
        chance = random.Random(seed)
        scores = [min(1.0, chance.gauss(0.93, 0.06)) for _ in range(12)]
        flags = [bool(openings(name, *scores, limit=limit)) for limit in rule.limits]
        assert flags == sorted(flags, reverse=True)
        assert list(rule.limits) == sorted(rule.limits)


def test_an_open_flag_is_not_raised_again_and_two_good_scores_repair_it() -> None:
    assert openings("level", 0.95, 0.8, 0.7, 0.8, 0.95, 0.95, 0.8) == [2, 7]


def test_after_an_unrepaired_flag_a_score_over_the_line_comes_first() -> None:
    low = [0.8] * 12
    assert openings("level", *low) == [1]
    assert openings("level", *low, 0.95, 0.8) == [1, 14]
