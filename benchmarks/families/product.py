"""The product in a practice of a family: calibrated on a history, then run over other cases.

In: the folders of two written practices (`benchmarks.families.events`). Out: where the product's flags open, and the
scores by which the field's rules judge.
Never: another way than that of `alliance calibrate` and `alliance backtest`: the same functions read the same files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alliance.evaluation.backtest import backtest, calibration_cases, folded, histories_of, scored_by_instrument
from alliance.evaluation.baselines import Scored
from alliance.evaluation.calibration import Calibration, calibrate
from benchmarks.detection_measure import Openings, openings_by_setting
from benchmarks.families.events import EVENTS, INSTRUMENTS
from pipeline.core.detection.prior import measurement_models
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import load_instruments

#: From the most flags to the fewest; the prices at which detectors are compared are between two of them.
SENSITIVITIES = (0.4, 0.55, 0.7, 0.85, 1.0, 1.2, 1.5, 1.9, 2.4, 3.0, 4.0, 5.0)


@dataclass(frozen=True, slots=True)
class ProductResult:
    """What the product would have done in one practice."""

    #: Whether the history was enough for a prior of the practice's own.
    is_calibrated: bool
    at_own_limit: Openings
    at_sensitivities: list[Openings]
    scores: Mapping[str, list[Scored]]


def instruments_of(folder: Path) -> Mapping[str, Instrument]:
    """The shipped instruments and the one of the practice, if it has its own."""
    own = folder / INSTRUMENTS
    return load_instruments(own if own.exists() else None)


def calibrated(folder: Path) -> Calibration:
    """What `alliance calibrate` finds in this practice."""
    instruments = instruments_of(folder)
    with (folder / EVENTS).open("rb") as lines:
        histories = histories_of(lines, instruments)
    instrument = next(iter(scored_by_instrument(histories)))
    return calibrate(calibration_cases(histories, instrument, measurement_models(instruments)[instrument]))


def product_result(history: Path, judged: Path) -> ProductResult:
    """Calibrate on one folder, then run `alliance backtest` on the other."""
    calibration = calibrated(history)
    with (judged / EVENTS).open("rb") as lines:
        result = backtest(lines, instruments_of(judged), calibration.prior)
    at_own_limit: dict[str, list[int]] = {}
    for flag in result.flags:
        at_own_limit.setdefault(flag.case_id, []).append(flag.session_number)
    cases = result.histories.cases

    def opened(case_id: str, sensitivity: float) -> list[int]:
        episodes = folded(case_id, cases[case_id], result.models, sensitivity=sensitivity).episodes
        return [flag.session_number for flag in episodes.by_flag_id.values()]

    return ProductResult(
        is_calibrated=calibration.refusal is None,
        at_own_limit=at_own_limit,
        at_sensitivities=openings_by_setting(cases, SENSITIVITIES, opened),
        scores=result.scores,
    )
