"""An instrument with few answers to choose from: rounding is not taken for a strain."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alliance.evaluation.backtest import backtest, calibration_cases, histories_of
from alliance.evaluation.calibration import calibrate
from alliance.simulation.practice import PracticeParameters, simulate
from pipeline.core.detection.prior import DEFAULT_MODEL, measurement_models
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import load_instruments

DEFINITION = """
id = "coarse/1"
name = "Four items in whole numbers"
minimum = 0
maximum = {highest}
decimals = 0
validated = false
[licence]
status = "open"
notice = "made for a test"
[missing]
total_at_least = 3
"""
ITEM = """
[[items]]
id = "{name}"
ingredients = ["{name}"]
"""


@pytest.fixture
def coarse(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Instrument]:
    items = "".join(ITEM.format(name=name) for name in ("trust", "empathy", "goals", "communication"))
    (tmp_path / "coarse.toml").write_text(DEFINITION.format(highest=request.param) + items)
    return dict(load_instruments(tmp_path))


def rounded(event: dict[str, Any], highest: int) -> dict[str, Any]:
    if "answers" not in event["data"]:
        return event
    answers = {
        item: None if answer is None else float(round(answer * highest / 10))
        for item, answer in event["data"]["answers"].items()
    }
    return event | {"data": event["data"] | {"answers": answers, "instrument": "coarse/1"}}


@pytest.mark.parametrize("coarse", [10, 6, 4], indirect=True)
def test_whole_numbers_bring_few_false_flags(coarse: dict[str, Instrument]) -> None:
    made = simulate(PracticeParameters(first_day=datetime(2026, 1, 5, tzinfo=UTC), therapists=12))
    ruptured = {row["case_id"] for row in made.truth}
    quiet = [event for event in made.events if event["subject"] not in ruptured]
    highest = int(coarse["coarse/1"].maximum)
    whole = backtest([rounded(event, highest) for event in quiet], coarse)
    assert not whole.histories.refused
    # In hundredths 0.4; measured as if they were hundredths, seven to nine.
    assert whole.per_100_checkins < 1


@pytest.mark.parametrize("coarse", [10], indirect=True)
def test_a_prior_estimated_from_whole_numbers_is_that_of_the_same_practice_in_hundredths(
    coarse: dict[str, Instrument],
) -> None:
    made = simulate(PracticeParameters(first_day=datetime(2026, 1, 5, tzinfo=UTC), therapists=8))
    whole = histories_of([rounded(event, 10) for event in made.events], coarse)
    fine_prior = calibrate(calibration_cases(histories_of(made.events, coarse))).prior
    prior = calibrate(calibration_cases(whole, "coarse/1", measurement_models(coarse)["coarse/1"])).prior
    assert prior.first_mean == pytest.approx(fine_prior.first_mean, abs=0.01)
    # Taken for hundredths: 0.015 too much, and the mean 0.025.
    assert prior.within_sd == pytest.approx(fine_prior.within_sd, abs=0.005)


def test_a_check_in_of_hundredths_is_measured_as_it_is() -> None:
    models = measurement_models(load_instruments(None))
    fine = models["checkin-4/1"]
    for model in (fine, DEFAULT_MODEL):
        figures = (model.ceiling_from, model.rounding_variance, model.answer_step, model.invariant_share)
        assert figures == (1.0, 0.0, 0.01, 0.003)


def test_a_coarse_check_in_is_measured_as_coarse_as_it_is() -> None:
    # wai-sr/1: twelve items from 1 to 5, at least four of an ingredient: steps of a quarter.
    coarse = measurement_models(load_instruments(None))["wai-sr/1"]
    assert coarse.ceiling_from == pytest.approx(1 - 0.24 / 2)
    assert coarse.rounding_variance == pytest.approx(0.24**2 / (12 * 12))
    assert coarse.answer_step == pytest.approx(0.25 / 4)
    assert coarse.invariant_share == 0.2
