"""Sections 4 and 5 of docs/rules.md, with numbers worked out by hand.

In: residuals and scores. Out: what is expected, who speaks. Shares of checkin-4/1: 0.0025 is one tenth of an answer.
"""

import pytest

from tests.oracle.detectors import gravest, level_of, signals, usual
from tests.oracle.instruments import load
from tests.oracle.messages import rows, scores, the_row

INSTRUMENTS = load()
OURS = INSTRUMENTS["checkin-4/1"]


def test_the_usual_score_rises_until_the_tenth_session() -> None:
    assert usual(1) == pytest.approx(0.9075)
    assert usual(2) == pytest.approx(0.90975)
    assert usual(10) == pytest.approx(0.92775)
    assert usual(11) == usual(10)


def test_without_a_baseline_the_level_is_any_cases() -> None:
    assert level_of([]) == pytest.approx((0, 0.00455625))


@pytest.mark.parametrize(
    ("residuals", "centre", "variance"),
    [
        # n_eff 0.538462, Vw/n_eff 0.00297143, B 0.00455625/0.00752768 = 0.605266
        ([-0.1], -0.0605266, 0.00179851),
        # n_eff 1.076923, Vw/n_eff 0.00148571, B 0.00455625/0.00604196 = 0.754101
        ([-0.1, 0.02], -0.0301640, 0.00112038),
        # n_eff 1.615385, Vw/n_eff 0.00099048, B 0.00455625/0.00554673 = 0.821431
        ([-0.1, 0.02, -0.1], -0.0492859, 0.00081361),
    ],
)
def test_the_level_is_shrunk_towards_the_middle(residuals: list[float], centre: float, variance: float) -> None:
    assert level_of(residuals)[0] == pytest.approx(centre, abs=1e-6)
    assert level_of(residuals)[1] == pytest.approx(variance, abs=1e-7)


def test_a_first_score_two_deviations_down_is_a_drop() -> None:
    # sd = sqrt(0.00455625 + 0.0016) = 0.0784618; 0.9075 - 2 sd = 0.750576, 0.9075 - 3 sd = 0.672115
    assert rows(scores(0.7525), "flags") == []
    row = the_row(scores(0.75), "flags")
    assert (row["kind"], row["severity"], row["kinds"]) == ("drop", "warning", ["drop"])
    assert (row["rule_name"], row["rule_version"]) == ("predictive-z-below-2", "1")
    assert row["expected_false_flags_per_100"] == 1.4
    # (0.75 - 0.9075) / 0.0784618 = -2.00735
    assert row["evidence"] == {"score": 0.75, "expected": 0.9075, "deviation": -2.0073, "checkins": 1}
    assert the_row(scores(0.6725), "flags")["severity"] == "warning"
    assert the_row(scores(0.67), "flags")["severity"] == "urgent"


def test_after_one_usual_score_less_is_needed_for_a_drop() -> None:
    # sd = sqrt(0.00179851 + 0.0016) = 0.0582967; 0.90975 - 2 sd = 0.793157
    assert rows(scores(0.9075, 0.795), "flags") == []
    row = the_row(scores(0.9075, 0.7925), "flags")
    # (0.7925 - 0.90975) / 0.0582967 = -2.01126
    assert row["evidence"] == pytest.approx(
        {"score": 0.7925, "expected": 0.90975, "deviation": -2.0113, "checkins": 2}, abs=1e-4
    )


def test_the_instruments_error_is_the_least_spread() -> None:
    # After 60 usual scores sd = sqrt(0.000049 + 0.0016) = 0.040608; wai-sr/1 has 2.55/48 = 0.053125.
    residuals = [0.0] * 60
    assert INSTRUMENTS["wai-sr/1"].standard_error == pytest.approx(0.053125)
    assert OURS.standard_error == pytest.approx(0.03475)
    score = usual(61) - 0.1
    assert [signal.kind for signal in signals(score, 61, residuals, 61, OURS)] == ["drop"]
    assert signals(score, 61, residuals, 61, INSTRUMENTS["wai-sr/1"]) == []
    (signal,) = signals(usual(61) - 0.11, 61, residuals, 61, INSTRUMENTS["wai-sr/1"])
    assert signal.evidence["deviation"] == pytest.approx(-0.11 / 0.053125, abs=1e-4)


def test_the_target_of_a_drop_is_the_expected_score_less_the_usual_wavering() -> None:
    (signal,) = signals(0.75, 1, [], 1, OURS)
    assert signal.target == pytest.approx(0.8675)


def test_a_level_probably_under_the_cutoff_is_low() -> None:
    # Fourth 0.7525: n+1 = 4, n_eff 2.153846, B 0.00455625/0.00529911 = 0.859815; residuals -0.155, -0.15725, -0.1595,
    # -0.16175, mean -0.158375; level 0.91425 - 0.136173 = 0.778077, sd sqrt(0.00455625 x 0.140185) = 0.025273;
    # P = Phi(0.021923 / 0.025273) = Phi(0.86745) = 0.8071. With the third only P = Phi(0.60195) = 0.7264.
    assert rows(scores(0.7525, 0.7525, 0.7525), "flags") == []
    row = the_row(scores(0.7525, 0.7525, 0.7525, 0.7525), "flags")
    assert (row["kind"], row["severity"], row["kinds"]) == ("low", "watch", ["low"])
    assert (row["rule_name"], row["rule_version"]) == ("posterior-level-below-cutoff", "1")
    assert row["expected_false_flags_per_100"] == 0.5
    assert row["evidence"] == pytest.approx(
        {"score": 0.7525, "level": 0.7781, "cutoff": 0.8, "probability": 0.8071, "checkins": 4}, abs=1.01e-4
    )


def test_a_level_almost_surely_under_the_cutoff_is_a_warning() -> None:
    # Residual -0.2 five times: level 0.92775 - 0.2 x 0.884636 = 0.750823 at session 10, so P = Phi(2.15) = 0.984.
    (signal,) = signals(usual(10) - 0.2, 10, [-0.2] * 4, 5, OURS)
    assert (signal.kind, signal.severity, signal.target) == ("low", "warning", 0.8)


def test_low_needs_a_cutoff_and_an_earlier_checkin() -> None:
    assert [signal.kind for signal in signals(0.3, 1, [], 1, OURS)] == ["drop"]
    assert [signal.kind for signal in signals(0.3, 2, [-0.4], 2, OURS)] == ["drop", "low"]
    assert [signal.kind for signal in signals(0.3, 2, [-0.4], 2, INSTRUMENTS["wai-sr/1"])] == ["drop"]


def test_the_cutoff_of_an_instrument_is_a_share_of_its_range() -> None:
    assert OURS.cutoff == 0.8
    assert INSTRUMENTS["srs/3"].cutoff == 0.9
    assert INSTRUMENTS["wai-sr/1"].cutoff is None


def test_the_gravest_signal_leads_and_the_first_among_equals() -> None:
    urgent, low = signals(0.3, 2, [-0.4], 2, OURS)
    assert (urgent.severity, low.severity) == ("urgent", "warning")
    assert gravest([low, urgent]) is urgent
    # Five residuals of -0.2: n_eff 2.692308, B 0.884617, expected m - 0.176923, sd 0.0461055; -0.29 is -2.4526 of them.
    drop, low = signals(usual(6) - 0.29, 6, [-0.2] * 5, 6, OURS)
    assert (drop.severity, low.severity) == ("warning", "warning")
    assert drop.evidence["deviation"] == pytest.approx(-2.4526, abs=1e-4)
    assert gravest([drop, low]) is drop
