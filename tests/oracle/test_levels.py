"""Section 4.1 of docs/rules.md, with numbers worked out by hand. In: scores. Out: what is expected next."""

from math import sqrt

import pytest

from tests.oracle.levels import BETWEEN_VARIANCE, WITHIN_VARIANCE, Expected, Level, usual

# Vb + Vw = 0.008725 + 0.00330625
SD = 0.1096871


def after(score: float, weight: float = 1) -> Level:
    level = Level()
    level.learn(score, weight, level.predict(1, None))
    return level


def test_the_usual_score_rises_until_the_tenth_session() -> None:
    assert [usual(1), usual(2), usual(10), usual(99)] == pytest.approx([0.9405, 0.9435, 0.9675, 0.9675])


def test_of_a_new_case_what_is_usual_is_expected() -> None:
    expected = Level().predict(1, None)
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
    expected = after(0.84).predict(2, None)
    # 0.9435 - 0.0728821 - 0.3 x 0.0276179; p + 0.6 q + Vw + 0.09 (r - Vw)
    assert (expected.score, expected.sd) == pytest.approx((0.8623325, 0.0646804), abs=1e-7)
    # Three sessions on: 0.3^3.
    expected = after(0.84).predict(4, None)
    assert (expected.score, expected.sd) == pytest.approx((0.8758722, 0.0746578), abs=1e-7)


def test_going_there_in_steps_or_at_once_is_the_same() -> None:
    steps, once = after(0.84), after(0.84)
    for session in (2, 3, 3, 1):
        steps.predict(session, None)
    assert steps.predict(4, None).score == pytest.approx(once.predict(4, None).score, abs=1e-12)
    assert steps.predict(4, None).sd == pytest.approx(once.predict(4, None).sd, abs=1e-12)


def test_an_earlier_session_than_the_one_reached_changes_nothing() -> None:
    level = Level()
    level.predict(5, None)
    assert level.predict(2, None).score == pytest.approx(usual(5))
    assert level.t == 5


def test_nothing_is_surer_than_the_instrument() -> None:
    level = Level(p=0.0, r=0.0001, t=1)
    assert [level.predict(1, error).sd for error in (None, 0.05, 0.001)] == pytest.approx([0.03, 0.05, 0.01])


def test_rounding_below_no_variance_at_all_is_none() -> None:
    assert Level(p=1e-20, q=-2e-20, r=1e-20, t=1).predict(1, None).sd == pytest.approx(0.03)


def test_a_score_at_the_ceiling_says_at_least_so_much() -> None:
    # z = 0.542452, pull = 1.172278, g = 0.738330: a = A x 1.172278 sd, p = Vb - g A^2 sd^2
    level = after(1.0)
    assert (level.a, level.p) == pytest.approx((0.0932482, 0.00405334), abs=1e-7)


def test_far_above_what_was_expected_the_pull_is_z_and_its_inverse() -> None:
    level = Level()
    level.learn(1.0, 1, Expected(0.3, 0.1))
    # z = 7: d = (7 + 1/7) x 0.1, and g = 1 + 1/49 is held at 1.
    assert level.a == pytest.approx(BETWEEN_VARIANCE / 0.01 * (7 + 1 / 7) * 0.1)
    assert level.p == pytest.approx(BETWEEN_VARIANCE - BETWEEN_VARIANCE**2 / 0.01)


def test_the_level_alone_leaves_the_residual_out() -> None:
    assert after(0.84).level == pytest.approx(0.9405 - 0.0728821, abs=1e-7)
    assert sqrt(WITHIN_VARIANCE) == pytest.approx(0.0575)
