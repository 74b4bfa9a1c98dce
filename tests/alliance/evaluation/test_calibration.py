"""A prior comes only of scores that say something; a misfit is reported if it is not chance and matters."""

import random
from collections.abc import Callable

import pytest

from alliance.evaluation import calibration
from alliance.evaluation.calibration import CaseScores, calibrate, calibration_text, misfit
from pipeline.core.detection.prior import DEFAULT_PRIOR, Prior

Draw = Callable[[random.Random], float]


def some_cases(draw: Draw, cases: int = 100, checkins: int = 6) -> list[CaseScores]:
    dice = random.Random(1)
    return [
        CaseScores(f"t-{case % 8}", tuple((number, draw(dice)) for number in range(1, checkins + 1)), 8, 6, 1)
        for case in range(cases)
    ]


def usual_cases(first_mean: float = 0.8, cases: int = 100, **of_case: object) -> list[CaseScores]:
    """Cases that differ, and vary from one session to the next."""
    dice = random.Random(2)
    found = []
    for case in range(cases):
        level = dice.gauss(first_mean, 0.08)
        scores = tuple((number, min(max(dice.gauss(level, 0.05), 0.0), 1.0)) for number in range(1, 7))
        found.append(CaseScores(f"t-{case % 8}", scores, 8, 6, 1))
    return found


DEGENERATE: dict[str, tuple[Draw, str]] = {
    "all at the top": (lambda _: 1.0, "do not vary"),
    "all at the bottom": (lambda _: 0.0, "do not vary"),
    "all the same": (lambda _: 0.8, "do not vary"),
    "nearly all at the top": (
        lambda dice: 1.0 if dice.random() < 0.9 else 0.9,
        "Too few scores are below the best possible one",
    ),
    "heads or tails": (lambda dice: float(dice.random() < 0.5), "of them are outliers"),
    "one of three by lot": (lambda dice: dice.choice([0.0, 0.5, 1.0]), "of them are outliers"),
    "one of five by lot": (lambda dice: dice.choice([0.0, 0.25, 0.5, 0.75, 1.0]), "almost like random answers"),
    "anything by lot": (lambda dice: dice.random(), "almost like random answers"),
    "hardly any swing": (lambda dice: dice.gauss(0.8, 0.002), "hardly differ between cases"),
    "cases all alike": (lambda dice: dice.gauss(0.5, 0.1), "hardly differ between cases"),
}


@pytest.mark.parametrize("what", DEGENERATE)
def test_scores_that_say_nothing_give_no_prior_but_a_sentence(what: str) -> None:
    draw, sentence = DEGENERATE[what]
    found = calibrate(some_cases(draw))
    assert found.refusal is not None and sentence in found.refusal
    assert found.refusal.endswith("No prior was made. Without one of your own, the shipped prior is used.")
    assert (found.prior, found.components) == (DEFAULT_PRIOR, {})
    assert calibration_text(found) == f"100 cases with 600 scored check-ins, 8 therapists\n{found.refusal}"


def test_usual_scores_give_a_prior_with_standard_errors() -> None:
    found = calibrate(usual_cases())
    assert found.refusal is None
    assert found.prior.first_mean == pytest.approx(0.8, abs=0.03)
    assert all(0 < estimate.standard_error < 1 for estimate in found.components.values())


@pytest.mark.parametrize("below", [99, 100])
def test_a_hundred_scores_must_be_below_the_best_possible_one(below: int) -> None:
    cases = usual_cases()
    scores = [score for case in cases for _, score in case.scores]
    line = sorted(scores)[below - 1]
    capped = [
        CaseScores(
            case.therapist_id,
            tuple((number, score if score <= line else 1.0) for number, score in case.scores),
            8,
            6,
            1,
        )
        for case in cases
    ]
    refusal = calibrate(capped).refusal or ""
    assert (f"{below} of {len(scores)} check-ins; 100 are needed" in refusal) == (below == 99)


def test_an_estimate_that_did_not_converge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_ROUNDS", 5)
    assert (calibrate(usual_cases()).refusal or "").startswith("The estimate did not converge")


def test_an_estimate_that_did_not_move_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_maximum", lambda cases, start, step, rounds: (start, True))
    assert (calibrate(usual_cases()).refusal or "").startswith("The estimate did not converge")


@pytest.mark.parametrize("error", [0.0, float("nan"), float("inf")])
def test_an_impossible_standard_error_is_refused(error: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_jackknife", lambda estimates: (0.01, error, 0.01, 0.01, 0.01))
    refusal = calibrate(usual_cases()).refusal or ""
    assert refusal.startswith("The standard error of growth_per_session cannot be estimated")


def test_an_autocorrelation_at_its_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_MOST_AUTOCORRELATION", 0.0)
    assert "Each score of a case almost determines the next" in (calibrate(usual_cases()).refusal or "")


def test_an_estimate_that_no_process_would_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    steep = Prior(growth_per_session=0.2)
    monkeypatch.setattr(calibration, "_prior", lambda vector, missing=0.3, missed=0.07: steep)
    monkeypatch.setattr(calibration, "_maximum", lambda cases, start, step, rounds: ((0.9, 2.0, -2.0, -2.0, 0.3), True))
    monkeypatch.setattr(calibration, "_jackknife", lambda estimates: (0.01,) * 5)
    monkeypatch.setattr(calibration, "MOST_OUTLIERS", 1.0)
    refusal = calibrate(usual_cases()).refusal or ""
    assert refusal.startswith("The estimate cannot be used as a prior. The growth_per_session")


def test_one_of_everything_is_said_in_the_singular() -> None:
    found = calibrate([CaseScores("t-1", ((1, 0.8),), 1, 1, 0)])
    assert calibration_text(found).startswith(
        "1 case with 1 scored check-in, 1 therapist\n1 scored check-in and 0 cases"
    )


def cases_with_mean(mean: float, cases: int, swing: float = 0.0) -> list[CaseScores]:
    """One check-in each, half of them over the mean and half under it by the same swing."""
    return [CaseScores("t-1", ((1, mean + (swing if case % 2 else -swing)),), 1, 1, 0) for case in range(cases)]


#: What the shipped prior expects of a first score under the ceiling: E min(1, Y), by a sum over the normal density.
EXPECTED = sum(
    min(
        1.0,
        DEFAULT_PRIOR.first_mean + z / 500 * (DEFAULT_PRIOR.between_variance + DEFAULT_PRIOR.within_variance) ** 0.5,
    )
    * 2.718281828459045 ** (-0.5 * (z / 500) ** 2)
    for z in range(-4000, 4001)
) / sum(2.718281828459045 ** (-0.5 * (z / 500) ** 2) for z in range(-4000, 4001))
HALF_SD = DEFAULT_PRIOR.within_sd / 2


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_prior_misfits_from_half_a_swing_on(sign: int) -> None:
    near, far = EXPECTED + sign * 0.98 * HALF_SD, EXPECTED + sign * 1.02 * HALF_SD
    assert misfit(cases_with_mean(near, 100), DEFAULT_PRIOR) is None
    found = misfit(cases_with_mean(far, 100), DEFAULT_PRIOR)
    assert found is not None
    assert (found.observed, found.expected) == pytest.approx((far, EXPECTED), abs=1e-5)
    assert found.checkins == 100


def test_a_misfit_that_may_be_chance_is_not_reported() -> None:
    # Standard error of the mean of 100: a tenth of the swing; twice that is what the difference must be over.
    off = 2 * HALF_SD
    assert misfit(cases_with_mean(EXPECTED - off, 100, swing=5 * off * 0.98), DEFAULT_PRIOR) is not None
    assert misfit(cases_with_mean(EXPECTED - off, 100, swing=5 * off * 1.02), DEFAULT_PRIOR) is None


def test_the_standard_error_is_over_cases_not_over_checkins() -> None:
    # Ten cases of a hundred like scores each are ten observations, not a thousand.
    off, swing = 2 * HALF_SD, 4 * HALF_SD
    cases = [
        CaseScores("t-1", tuple((1, EXPECTED - off + (swing if case % 2 else -swing)) for _ in range(100)), 1, 1, 0)
        for case in range(10)
    ]
    assert misfit(cases, DEFAULT_PRIOR) is None


def test_a_handful_of_cases_is_not_judged() -> None:
    assert misfit(cases_with_mean(0.2, 9), DEFAULT_PRIOR) is None
    assert misfit(cases_with_mean(0.2, 10), DEFAULT_PRIOR) is not None
    assert misfit([], DEFAULT_PRIOR) is None
