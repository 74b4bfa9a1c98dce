"""Section 5 of docs/rules.md. In: what is known of a case, as literal values. Out: the signals."""

from collections import Counter
from dataclasses import replace
from math import exp

import pytest

from tests.oracle.detectors import gravest, signals
from tests.oracle.instruments import load
from tests.oracle.levels import Expected, Level
from tests.oracle.odds import SIGNS, Odds
from tests.oracle.strain import ScoredCheckin, Strain

INSTRUMENTS = load()
#: wai-sr/1 has no cut-off, checkin-4/1 one of 0.8.
CHECKIN = ScoredCheckin("s9", 9, INSTRUMENTS["wai-sr/1"], 0.7, Expected(1.02, 0.1), -2.1234, False, None)
CUT_OFF = replace(CHECKIN, instrument=INSTRUMENTS["checkin-4/1"])


def strain(evidence: float = 3.5, last: ScoredCheckin | None = CHECKIN, /, **signs: float) -> Strain:
    """A case in its ninth session with this evidence, and signs below zero but for those named."""
    odds = Odds(0, exp(evidence), dict.fromkeys(SIGNS, -1.0) | signs)
    return Strain(
        odds,
        client=Level(t=9),
        sessions=9,
        checkins=4,
        therapist_checkins=Counter(t1=4, t2=3),
        latest_of_therapist=("t1", "s1", 0.0),
        missing_in_a_row=1,
        latest=last,
    )


def kinds(known: Strain) -> list[str]:
    return [signal.kind for signal in signals(known)]


@pytest.mark.parametrize(
    ("sign", "kind", "rule"),
    [
        ("score", "drop", ("strain-odds-newest-score", "2", 0.31)),
        ("earlier", "waning", ("strain-odds-earlier-scores", "1", 0.05)),
        ("ingredient", "ingredient", ("strain-odds-ingredient-share", "2", 0.01)),
        ("response_style", "withdrawal", ("strain-odds-form-and-attendance", "2", 0.24)),
        ("missing", "nonresponse", ("strain-odds-missing-check-ins", "1", 0.14)),
        ("therapist", "discrepancy", ("residuals-of-both-raters-apart", "2", 0.08)),
    ],
)
def test_each_sign_has_a_kind_that_is_raised_if_it_leads(sign: str, kind: str, rule: tuple[str, str, float]) -> None:
    (signal,) = signals(strain(**{sign: 0.5}))
    assert (signal.kind, signal.rule, signal.severity) == (kind, rule, "watch")
    assert signal.evidence == {
        "evidence": 3.5,
        "limit": 3.0,
        "own_evidence": 0.5,
        "checkins": 4,
        "sessions": 9,
        "score": 0.7,
        "expected": 1.0,
        "deviation": -2.1234,
    } | ({"slide": 0.0, "slide_limit": 5.0} if kind == "waning" else {})
    assert kinds(strain(2.99, **{sign: 9.0})) == []


def test_without_a_scored_checkin_a_signal_tells_of_none() -> None:
    known = strain(3.5, None, missing=-1.0, score=2.0)
    known.checkins = 0
    (signal,) = signals(known)
    assert signal.evidence.keys() == {"evidence", "limit", "own_evidence", "checkins", "sessions"}


@pytest.mark.parametrize(
    ("evidence", "severity"), [(3.99, "watch"), (4.01, "warning"), (5.99, "warning"), (6.01, "urgent")]
)
def test_the_severity_is_how_far_the_limit_is_passed(evidence: float, severity: str) -> None:
    assert [signal.severity for signal in signals(strain(evidence, score=2))] == [severity]


def test_the_target_is_what_is_expected_in_the_newest_session_less_the_usual_wavering() -> None:
    # m(9) = 0.9645; the residual -0.1 has faded to -0.009 when the level was reached two sessions before.
    known = strain(score=2)
    known.client = Level(a=-0.05, b=-0.1, t=7)
    assert signals(known)[0].target == pytest.approx(0.9645 - 0.05 - 0.009 - 0.0575)
    assert (known.client.t, known.client.b) == (7, -0.1)
    known.client = Level(a=0.2, t=9)
    assert signals(known)[0].target == pytest.approx(1 - 0.0575)


def test_a_slide_is_raised_without_evidence() -> None:
    known = strain(-1.0)
    known.slide = 5.0
    assert kinds(known) == []
    known.slide = 5.12344
    (signal,) = signals(known)
    assert (signal.evidence["slide"], signal.evidence["slide_limit"]) == (5.1234, 5.0)
    assert (signal.kind, signal.severity, signal.evidence["own_evidence"]) == ("waning", "watch", -1.0)


def test_silence_needs_a_checkin_ever_and_a_missing_one_now() -> None:
    known = strain(missing=2.0)
    assert kinds(known) == ["nonresponse"]
    known.checkins = 0
    assert kinds(known) == []
    known.checkins, known.missing_in_a_row = 4, 0
    assert kinds(known) == []


def test_the_raters_are_apart_where_only_the_client_is_low() -> None:
    def apart(
        of_therapist: tuple[str, str, float] | None = ("t1", "s9", 0.0),
        checkin: ScoredCheckin = CHECKIN,
        evidence: float = 2.6,
    ) -> list[str]:
        known = strain(evidence, checkin)
        known.latest_of_therapist = of_therapist
        return kinds(known)

    assert apart() == ["discrepancy"]
    assert apart(None) == apart(("t1", "s8", 0.0)) == apart(("t1", "s9", -0.5)) == apart(evidence=2.4) == []
    assert (
        apart(checkin=replace(CHECKIN, deviation=-1.5)) == apart(checkin=replace(CHECKIN, is_scale_reversed=True)) == []
    )
    # This therapist has given only three, however many another one has given.
    assert apart(("t2", "s9", 0.0)) == []


def test_a_therapists_own_sign_needs_four_checkins_of_the_one_who_gave_the_latest() -> None:
    known = strain(therapist=2.0)
    assert kinds(known) == ["discrepancy"]
    known.latest_of_therapist = ("t2", "s1", 0.0)
    assert kinds(known) == []
    known.therapist_checkins["t2"] = 4
    assert kinds(known) == ["discrepancy"]


def low(sds: float, **changes: float) -> Strain:
    """The level at session 10 is `sds` times 0.02 below 0.8; m(10) = 0.9675."""
    known = strain(0.0, CUT_OFF)
    known.client = Level(a=0.8 - 0.9675 - 0.02 * sds, p=0.0004, t=10, count=2.0)
    for name, value in changes.items():
        setattr(known if hasattr(known, name) else known.client, name, value)
    return known


def test_a_level_surely_under_the_cutoff_is_low() -> None:
    assert kinds(low(1.99)) == []
    (signal,) = signals(low(2.5))
    assert (signal.kind, signal.severity, signal.target) == ("low", "watch", 0.8)
    assert signal.rule == ("posterior-level-below-cutoff", "2", 0.09)
    # Phi(2.5) = 0.993790
    assert signal.evidence == {"score": 0.7, "level": 0.75, "cutoff": 0.8, "probability": 0.9938, "checkins": 4}
    assert [signals(low(sds))[0].severity for sds in (3.49, 3.51)] == ["watch", "warning"]


def test_low_needs_three_checkins_two_in_the_baseline_and_a_cutoff() -> None:
    assert kinds(low(3, checkins=3)) == ["low"]
    assert kinds(low(3, checkins=2)) == kinds(low(3, count=1.9)) == []
    known = low(3)
    known.latest = CHECKIN
    assert kinds(known) == []


def test_low_looks_at_the_level_and_not_at_the_residual() -> None:
    assert kinds(low(1.9, b=-0.5)) == []
    assert kinds(low(2.1, b=0.5)) == ["low"]


def test_no_level_is_surer_than_a_ten_thousandth() -> None:
    # 0.00018 and 0.00022 below the cut-off.
    assert kinds(low(0.009, p=1e-14)) == []
    assert kinds(low(0.011, p=1e-14)) == ["low"]


def test_the_cutoff_of_an_instrument_is_a_share_of_its_range() -> None:
    assert INSTRUMENTS["checkin-4/1"].cutoff == 0.8
    assert INSTRUMENTS["srs/3"].cutoff == 0.9
    assert INSTRUMENTS["wai-sr/1"].cutoff is None
    assert INSTRUMENTS["checkin-4/1"].standard_error == pytest.approx(0.03475)
    assert INSTRUMENTS["wai-sr/1"].standard_error == pytest.approx(0.053125)


def test_the_gravest_signal_leads_and_the_first_among_equals() -> None:
    known = low(2.5)
    known.odds = Odds(0, exp(3.5), dict.fromkeys(SIGNS, 2.0))
    assert kinds(known) == ["drop", "waning", "low", "ingredient", "withdrawal", "nonresponse", "discrepancy"]
    assert gravest(signals(known)).kind == "drop"
    known.client.a -= 0.03  # four deviations: a warning
    assert gravest(signals(known)).kind == "low"
