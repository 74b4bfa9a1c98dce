"""Section 4.1 of docs/rules.md, with numbers worked out on paper. In: scores. Out: what is expected next."""

from math import sqrt

import pytest

from tests.oracle.levels import BETWEEN_VARIANCE, FINE, WITHIN_VARIANCE, Expected, Level, Resolution, usual

# Vb + Vw = 0.008725 + 0.00330625
SD = 0.1096871


#: wai-sr/1: twelve items in steps of a quarter, x = 0.24.
COARSE = Resolution(0.053125, 0.24**2 / 144, 0.88)


def after(score: float, weight: float = 1, by: Resolution = FINE) -> Level:
    level = Level()
    level.update(score, weight, level.predict(1, by))
    return level


def test_the_usual_score_rises_until_the_tenth_session() -> None:
    assert [usual(1), usual(2), usual(10), usual(99)] == pytest.approx([0.9405, 0.9435, 0.9675, 0.9675])


def test_of_a_new_case_what_is_usual_is_expected() -> None:
    expected = Level().predict(1)
    assert (expected.score, expected.sd) == pytest.approx((0.9405, SD), abs=1e-7)
    assert expected.deviation(0.94050 - 2 * SD) == pytest.approx(-2, abs=1e-6)
    assert expected.wavering == pytest.approx(0.5242187, abs=1e-6)


def test_a_score_is_split_between_level_and_residual() -> None:
    # d = -0.1005, A = 0.725195, B = 0.274805
    level = after(0.84)
    assert (level.a, level.b) == pytest.approx((-0.0728821, -0.0276179), abs=1e-7)
    assert (level.p, level.q, level.r) == pytest.approx((0.00239768, -0.00239768, 0.00239768), abs=1e-8)
    assert (level.count, level.t) == (1, 1)


def test_a_weight_takes_the_same_share_of_every_step() -> None:
    level = after(0.84, 0.5)
    assert (level.a, level.b, level.count) == pytest.approx((-0.03644105, -0.01380895, 0.5), abs=1e-7)
    assert level.p == pytest.approx((0.008725 + 0.00239768) / 2, abs=1e-8)


def test_a_residual_fades_and_a_level_stays() -> None:
    expected = after(0.84).predict(2)
    # 0.9435 - 0.0728821 - 0.3 x 0.0276179; p + 0.6 q + Vw + 0.09 (r - Vw)
    assert (expected.score, expected.sd) == pytest.approx((0.8623325, 0.0646804), abs=1e-7)
    # Three sessions on: 0.3^3.
    expected = after(0.84).predict(4)
    assert (expected.score, expected.sd) == pytest.approx((0.8758722, 0.0746578), abs=1e-7)


def test_going_there_in_steps_or_at_once_is_the_same() -> None:
    steps, once = after(0.84), after(0.84)
    for session in (2, 3, 3, 1):
        steps.predict(session)
    assert steps.predict(4).score == pytest.approx(once.predict(4).score, abs=1e-12)
    assert steps.predict(4).sd == pytest.approx(once.predict(4).sd, abs=1e-12)


def test_an_earlier_session_than_the_one_reached_changes_nothing() -> None:
    level = Level()
    level.predict(5)
    assert level.predict(2).score == pytest.approx(usual(5))
    assert level.t == 5


def test_nothing_is_surer_than_the_instrument() -> None:
    level = Level(p=0.0, r=0.0001, t=1)
    errors = [FINE, Resolution(0.05), Resolution(0.001)]
    assert [level.predict(1, by).sd for by in errors] == pytest.approx([0.03, 0.05, 0.01])


def test_rounding_below_no_variance_at_all_is_none() -> None:
    assert Level(p=1e-20, q=-2e-20, r=1e-20, t=1).predict(1).sd == pytest.approx(0.03)


def test_a_score_at_the_ceiling_says_at_least_so_much() -> None:
    # z = 0.542452, pull = 1.172278, g = 0.738330: a = A x 1.172278 sd, p = Vb - g A^2 sd^2
    level = after(1.0)
    assert (level.a, level.p) == pytest.approx((0.0932482, 0.00405334), abs=1e-7)


def test_far_above_what_was_expected_the_pull_is_z_and_its_inverse() -> None:
    level = Level()
    level.update(1.0, 1, Expected(0.3, 0.1))
    # z = 7: d = (7 + 1/7) x 0.1, and g = 1 + 1/49 is held at 1.
    assert level.a == pytest.approx(BETWEEN_VARIANCE / 0.01 * (7 + 1 / 7) * 0.1)
    assert level.p == pytest.approx(BETWEEN_VARIANCE - BETWEEN_VARIANCE**2 / 0.01)


def test_the_level_alone_leaves_the_residual_out() -> None:
    assert after(0.84).level == pytest.approx(0.9405 - 0.0728821, abs=1e-7)
    assert sqrt(WITHIN_VARIANCE) == pytest.approx(0.0575)


def test_rounding_makes_a_coarse_instruments_score_less_sure() -> None:
    # 0.008725 + 0.00330625 + 0.0004 = 0.01243125
    expected = Level().predict(1, COARSE)
    assert (expected.score, expected.sd, expected.ceiling_from) == pytest.approx((0.9405, 0.1114955, 0.88), abs=1e-7)
    # 0.008725 / 0.01243125 x -0.1005
    assert after(0.84, by=COARSE).a == pytest.approx(-0.0705370, abs=1e-7)
    # The standard error is a least one, whatever rounding adds: 0.0004 is less than 0.053125 squared.
    assert Level(p=0.0, r=0.0001, t=1).predict(1, COARSE).sd == pytest.approx(0.053125)
    assert Level(p=1e-20, q=-2e-20, r=1e-20, t=1).predict(1, Resolution(0.001, 0.0004)).sd == pytest.approx(0.02)


def test_the_ceiling_of_a_coarse_instrument_begins_at_its_edge() -> None:
    # z = (0.88 - 0.9405) / 0.1114955 = -0.542623, pull = 0.487507, g = 0.502196
    expected = Level().predict(1, COARSE)
    assert expected.deviation_shown(1.0) == pytest.approx(-0.5426227, abs=1e-6)
    assert expected.deviation(1.0) == pytest.approx((1 - 0.9405) / 0.1114955, abs=1e-6)
    assert expected.deviation_shown(0.979167) == expected.deviation(0.979167)
    level = after(1.0, by=COARSE)
    # a = 0.701860 x 0.487507 x 0.1114955
    assert (level.a, level.b, level.p) == pytest.approx((0.0381495, 0.0144564, 0.00564969), abs=1e-7)


def test_a_level_that_may_be_another_one_is_as_open_as_at_the_start_and_no_more() -> None:
    level = after(0.84)
    level.widen()
    assert (level.p, level.q, level.count) == pytest.approx((0.008725, -0.00239768, 1), abs=1e-8)
    level.p = 0.01
    level.widen()
    assert level.p == 0.01
