"""Section 4.2 of docs/rules.md, with numbers worked out on paper. In: ratios. Out: odds, signs, evidence."""

import pytest

from tests.oracle.odds import Odds


def test_with_every_session_a_strain_may_begin() -> None:
    odds = Odds()
    odds.pass_on(3)
    odds.pass_on(3)
    assert (odds.against, odds.away) == pytest.approx((0.63, 1.17))


def test_in_the_first_two_sessions_it_does_so_a_quarter_as_often() -> None:
    for session_number in (0, 1, 2):
        odds = Odds()
        odds.pass_on(session_number)
        assert (odds.against, odds.away) == pytest.approx((0.0875, 0.1625))


def test_a_sign_is_credited_by_what_each_kind_has_of_the_odds() -> None:
    odds = Odds()
    odds.pass_on(1)
    odds.update("response_style", 2, 3)
    # C 0.175, W 0.4875, h = 0.735849: 0.264151 ln 2 + 0.735849 ln 3
    assert (odds.against, odds.away) == pytest.approx((0.175, 0.4875))
    assert odds.signs["response_style"] == pytest.approx(0.9915083, abs=1e-7)
    assert odds.evidence == pytest.approx(-0.4117347, abs=1e-7)
    assert odds.probability_unstrained == pytest.approx(0.9805123, abs=1e-7)


def test_odds_stay_within_bounds() -> None:
    odds = Odds(1, 1)
    odds.update("score", 1e-20, 1e20)
    assert (odds.against, odds.away) == (1e-9, 1e12)
    assert Odds().evidence == pytest.approx(-20.7232658)


def test_signs_fade_and_a_score_becomes_an_earlier_score() -> None:
    odds = Odds()
    odds.signs |= {"score": 2.0, "earlier": 1.0, "ingredient": -1.0, "missing": 0.5}
    odds.pass_on(5)
    expected = {"score": 0, "earlier": 2.4, "ingredient": -0.8, "response_style": 0, "missing": 0.4, "therapist": 0}
    assert odds.signs == pytest.approx(expected)


@pytest.mark.parametrize(
    ("away", "style", "score", "leads"),
    [
        (20.1, 1.5, 9.0, True),
        (20.1, 1.4, 1.3, True),
        (20.1, 1.4, 1.5, False),
        (20.1, -0.1, -0.2, False),
        (20.0, 9.0, 0.0, False),
    ],
)
def test_a_sign_leads_with_enough_evidence_if_it_is_strong_or_the_strongest(
    away: float, style: float, score: float, leads: bool
) -> None:
    # e^3 = 20.0855
    odds = Odds(0, away)
    odds.signs = dict.fromkeys(odds.signs, -5.0) | {"response_style": style, "score": score}
    assert odds.leads("response_style") == leads
