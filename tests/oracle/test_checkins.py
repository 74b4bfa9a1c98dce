"""Section 4.4 of docs/rules.md, one check-in at a time, worked out on paper. In: a check-in. Out: ratios."""

from dataclasses import astuple
from math import log

import pytest

from tests.oracle.checkins import Shares, ceiling_ratios, invariant_ratio, is_invariant, score_ratio, usually_invariant
from tests.oracle.instruments import Instrument, load
from tests.oracle.levels import FINE

#: sqrt(Vw) / sqrt(Vb + Vw)
E = 0.5242187


@pytest.mark.parametrize(("z", "against", "away"), [(-2.0, 5.572742, 2.679073), (1.0, 0.1540887, 0.5049923)])
def test_a_score_counts_by_how_likely_it_is_after_a_shift(z: float, against: float, away: float) -> None:
    assert (score_ratio(0, z, E), score_ratio(1, z, E)) == pytest.approx((against, away), abs=2e-6)


def test_the_ratios_of_a_score_have_an_end() -> None:
    assert score_ratio(0, -12, E) == score_ratio(0, -30, E) > 1e8
    assert score_ratio(0, 60, E) == 1e-6


def test_at_the_ceiling_the_tails_are_compared() -> None:
    # Q 0.2937536, Q1 0.0426850, Q2 0.1407986
    assert ceiling_ratios(0.5424523, E) == pytest.approx((0.1453090, 1.2552272), abs=1e-6)
    # Q(3) is held at 0.03, Q1/Q0 0.00094 at 0.001.
    assert ceiling_ratios(3, E) == pytest.approx((0.001, 10.0033319), abs=1e-6)


def test_a_check_in_is_invariant_if_all_answers_are_the_same_or_the_ones_of_the_last_time() -> None:
    assert is_invariant({"trust": 9, "empathy": 9.0, "goals": None}, None)
    assert not is_invariant({"trust": 9, "empathy": None}, None)
    assert not is_invariant({"trust": 9, "empathy": 8}, None)
    assert is_invariant({"trust": 9, "empathy": 8}, {"empathy": 8, "trust": 9})
    assert not is_invariant({"trust": 9, "empathy": 8, "goals": None}, {"trust": 9, "empathy": 8})


def test_shares_are_of_what_is_lost_in_the_order_of_the_ingredients() -> None:
    found = Shares().of({"communication": 0.9, "trust": 0.6, "goals": 0.9, "empathy": 0.9}, 0.01)
    assert found is not None
    # ln 0.41 and three times ln 0.11, less their mean
    assert found[0] == pytest.approx([0.9867576, -0.3289192, -0.3289192, -0.3289192], abs=1e-7)
    assert found[1] == pytest.approx(0.175)


def test_two_ingredients_or_hardly_a_loss_say_nothing() -> None:
    assert Shares().of({"trust": 0.5, "empathy": 0.9}, 0.01) is None
    assert Shares().of({"trust": 0.98, "empathy": 0.995, "goals": 0.996}, 0.01) is None
    assert Shares().of({"trust": 0.9, "empathy": 0.98, "goals": 0.98}, 0.01) is not None


def test_an_ingredient_that_has_lost_more_than_its_share_is_evidence() -> None:
    found = Shares().of({"trust": 0.6, "empathy": 0.9, "goals": 0.9, "communication": 0.9}, 0.01)
    assert found is not None
    # v = 0.251362, rho 7.420679 and three times 0.197151: 0.7 x 2.003033 + 0.3
    assert Shares().ratio(*found, 0.01) == pytest.approx(1.7021228, abs=1e-6)
    # Learned with weight 0.5: S/(n + 1) is a third of the shares, v = 0.208852
    learned = Shares([0.0] * 4)
    learned.learn(found[0], 0.5)
    assert learned.ratio(*found, 0.01) == pytest.approx(1.0600631, abs=1e-6)


def test_the_shares_are_limited_evidence() -> None:
    assert Shares().ratio([9.0, -3.0, -3.0, -3.0], 0.2, 0.01) == pytest.approx(0.7 * 20 + 0.3)


def test_another_number_of_ingredients_starts_again_even_if_the_baseline_is_not_updated() -> None:
    shares = Shares([1.0, -0.5, -0.3, -0.2], 3.0)
    shares.ratio([log(2), 0.0, -log(2)], 0.2, 0.01)
    assert (shares.sums, shares.weight) == ([0, 0, 0], 0)


def test_a_coarse_instrument_needs_a_loss_of_its_grain() -> None:
    one_item = {"trust": 0.75, "empathy": 1.0, "goals": 1.0, "communication": 1.0}
    # The mean loss is 0.0625, the answer_step itself.
    assert Shares().of(one_item, 0.0625) is not None
    assert Shares().of(one_item, 0.07) is None
    found = Shares().of({"trust": 0.5, "empathy": 0.875, "goals": 0.875, "communication": 0.875}, 0.0625)
    assert found is not None
    # ln 0.5625 and three times ln 0.1875, less their mean: three quarters and a quarter of ln 3
    assert found[0] == pytest.approx([0.75 * log(3), *[-0.25 * log(3)] * 3])
    # v = 0.250632 + (0.03125 / 0.28125)^2 = 0.262978, rho 4.422245 and three times 0.244379: 0.7 x 1.288846 + 0.3
    assert Shares().ratio(*found, 0.0625) == pytest.approx(1.2021919, abs=1e-6)


@pytest.mark.parametrize(
    ("invariant", "answered", "by_chance", "usually"),
    [
        # The prior: 0.05 x 0.9 + 0.95 x 0.003
        (0, 0, 0.003, 0.04785),
        # o = -2.944439 + ln 300 = 2.759343, share 0.940439; u = 1.03 / 11
        (1, 1, 0.003, 0.8519721),
        # o = -2.944439 + 3 ln(0.1 / 0.997) = -9.843181; u = 0.03 / 13
        (0, 3, 0.003, 0.0023554),
        # o = -2.944439 + ln 300 + 3 ln(0.1 / 0.997) = -4.139398, share 0.015683; u = 1.03 / 14
        (1, 4, 0.003, 0.0865320),
        # An instrument on which answers are often the same by chance: 0.045 + 0.95 x 0.2; o = 1.567793, u = 5 / 13
        (0, 0, 0.2, 0.235),
        (3, 3, 0.2, 0.8110801),
        # o is held within 50 and -50.
        (100, 100, 0.003, 0.9),
        (3, 100, 0.003, 3.03 / 110),
    ],
)
def test_a_client_may_be_one_who_always_answers_so(
    invariant: int, answered: int, by_chance: float, usually: float
) -> None:
    assert usually_invariant(invariant, answered, by_chance) == pytest.approx(usually, abs=1e-7)


def test_invariant_answers_never_count_against_a_withdrawal_nor_other_answers_for_it() -> None:
    assert invariant_ratio(True, 0.04785) == pytest.approx(6.2695925, abs=1e-6)
    assert invariant_ratio(False, 0.04785) == pytest.approx(0.4201019, abs=1e-6)
    # 0.3 / 0.851972 = 0.352 and 0.4 / 0.148028 = 2.702
    assert (invariant_ratio(True, 0.8519721), invariant_ratio(False, 0.8519721)) == (1, 1)


def an_instrument(minimum: float, maximum: float, decimals: int, *items: list[str]) -> Instrument:
    listed = [{"id": f"i{place}", "ingredients": ingredients} for place, ingredients in enumerate(items)]
    return Instrument({"minimum": minimum, "maximum": maximum, "decimals": decimals, "items": listed})


def test_how_coarse_an_instrument_is() -> None:
    four = [[name] for name in ("trust", "empathy", "goals", "communication")]
    tens = an_instrument(0, 10, 0, *four)
    # Steps of a tenth, x = 0.09: 0.0081 / 48; 0.003 x 10^1.7 = 0.003 x 50.118723
    assert astuple(tens.resolution) == pytest.approx((0.03, 0.00016875, 0.955))
    assert (tens.answer_step, tens.invariant_share) == pytest.approx((0.1, 0.1503562), abs=1e-7)
    # A sixth, x = 0.1566667: 0.0245444 / 36. The goals have one item, the others two. 0.003 x 16.67^1.7 = 0.358.
    sixths = an_instrument(1, 7, 0, ["trust", "empathy"], ["empathy", "trust"], ["goals"])
    assert astuple(sixths.resolution) == pytest.approx((0.03, 0.000681790, 0.9216667))
    assert (sixths.answer_step, sixths.invariant_share) == pytest.approx((1 / 6, 0.2))
    wai = load()["wai-sr/1"]
    # Steps of a quarter; each ingredient has four of the twelve items. 2.55 of 48.
    assert astuple(wai.resolution) == pytest.approx((0.053125, 0.0004, 0.88))
    assert (wai.answer_step, wai.invariant_share) == (0.0625, 0.2)


@pytest.mark.parametrize(("maximum", "decimals"), [(100, 0), (10, 1), (10, 2), (1, 3)])
def test_in_hundredths_or_finer_nothing_is_coarse(maximum: float, decimals: int) -> None:
    fine = an_instrument(0, maximum, decimals, ["trust", "empathy"], ["goals"], ["goals", "communication"])
    assert (fine.resolution, fine.answer_step, fine.invariant_share) == (FINE, 0.01, 0.003)
