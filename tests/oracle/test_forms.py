"""Section 4.4 of docs/rules.md, one form at a time, with numbers worked out by hand. In: a form. Out: ratios."""

from math import log

import pytest

from tests.oracle.forms import Shares, ceiling_ratios, is_stiff, score_ratio

#: sqrt(Vw) / sqrt(Vb + Vw)
E = 0.5242187


@pytest.mark.parametrize(("z", "against", "away"), [(-2.0, 5.572742, 2.679073), (1.0, 0.1540887, 0.5049923)])
def test_a_score_weighs_by_how_likely_it_is_after_a_shift(z: float, against: float, away: float) -> None:
    assert (score_ratio(0, z, E), score_ratio(1, z, E)) == pytest.approx((against, away), abs=2e-6)


def test_the_ratios_of_a_score_have_an_end() -> None:
    assert score_ratio(0, -12, E) == score_ratio(0, -30, E) > 1e8
    assert score_ratio(0, 60, E) == 1e-6


def test_at_the_ceiling_the_tails_are_compared() -> None:
    # Q 0.2937536, Q1 0.0426850, Q2 0.1407986
    assert ceiling_ratios(0.5424523, E) == pytest.approx((0.1453090, 1.2552272), abs=1e-6)
    # Q(3) is held at 0.03, Q1/Q0 0.00094 at 0.001.
    assert ceiling_ratios(3, E) == pytest.approx((0.001, 10.0033319), abs=1e-6)


def test_a_form_is_stiff_if_all_answers_are_alike_or_the_ones_of_the_last_time() -> None:
    assert is_stiff({"trust": 9, "empathy": 9.0, "goals": None}, None)
    assert not is_stiff({"trust": 9, "empathy": None}, None)
    assert not is_stiff({"trust": 9, "empathy": 8}, None)
    assert is_stiff({"trust": 9, "empathy": 8}, {"empathy": 8, "trust": 9})
    assert not is_stiff({"trust": 9, "empathy": 8, "goals": None}, {"trust": 9, "empathy": 8})


def test_shares_are_of_what_is_lost_in_the_order_of_the_ingredients() -> None:
    found = Shares().of({"communication": 0.9, "trust": 0.6, "goals": 0.9, "empathy": 0.9})
    assert found is not None
    # ln 0.41 and three times ln 0.11, less their mean
    assert found[0] == pytest.approx([0.9867576, -0.3289192, -0.3289192, -0.3289192], abs=1e-7)
    assert found[1] == pytest.approx(0.175)


def test_two_ingredients_or_hardly_a_loss_say_nothing() -> None:
    assert Shares().of({"trust": 0.5, "empathy": 0.9}) is None
    assert Shares().of({"trust": 0.98, "empathy": 0.995, "goals": 0.996}) is None
    assert Shares().of({"trust": 0.9, "empathy": 0.98, "goals": 0.98}) is not None


def test_an_ingredient_that_has_lost_more_than_its_share_weighs() -> None:
    found = Shares().of({"trust": 0.6, "empathy": 0.9, "goals": 0.9, "communication": 0.9})
    assert found is not None
    # v = 0.251362, rho 7.420679 and three times 0.197151: 0.7 x 2.003033 + 0.3
    assert Shares().ratio(*found) == pytest.approx(1.7021228, abs=1e-6)
    # Learned with weight 0.5: S/(n + 1) is a third of the shares, v = 0.208852
    learned = Shares([0.0] * 4)
    learned.learn(found[0], 0.5)
    assert learned.ratio(*found) == pytest.approx(1.0600631, abs=1e-6)


def test_the_shares_weigh_a_limited_amount() -> None:
    assert Shares().ratio([9.0, -3.0, -3.0, -3.0], 0.2) == pytest.approx(0.7 * 20 + 0.3)


def test_another_number_of_ingredients_begins_anew_even_where_nothing_is_learned() -> None:
    shares = Shares([1.0, -0.5, -0.3, -0.2], 3.0)
    shares.ratio([log(2), 0.0, -log(2)], 0.2)
    assert (shares.sums, shares.weight) == ([0, 0, 0], 0)
