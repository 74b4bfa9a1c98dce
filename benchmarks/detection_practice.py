"""The practices of the detection benchmark: simulated, read as the core reads them, ready to be folded.

In: a regime (ceiling, depth, autocorrelation, missing check-ins), conditions common to all regimes, a seed. Out: for
each case its effective history and its scores; the truth.
Never: read an event in another way than the product does (`record_of`, `effective`, `scored`, the arithmetic).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import floor
from typing import Any, Literal, cast

from alliance.evaluation.backtest import calibration_cases, histories_of, scored
from alliance.evaluation.baselines import Scored
from alliance.evaluation.calibration import calibrate
from alliance.simulation.parameters import INSTRUMENT
from alliance.simulation.practice import PracticeParameters, simulate
from benchmarks.case_step import accepted
from pipeline.core.case.timeline import Item, Timeline, effective
from pipeline.core.detection.detectors import DETECTORS
from pipeline.core.detection.prior import MeasurementModel, Prior
from pipeline.core.detection.signal import Detector
from pipeline.core.records import Record, record_of
from schemas.instruments.arithmetic import prepare
from schemas.instruments.definition import Cutoff, Definition, Instrument, StandardError
from schemas.instruments.registry import load_instruments

#: Ceiling, depth, autocorrelation, missing check-ins.
Regime = tuple[str, float, float, str]

FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)
NEVER = 10**9
CALIBRATION_SEED, CALIBRATION_THERAPISTS = 99, 12
#: The step of the simulator's answers, of 10.
FINEST_STEP = 0.1


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all regimes have in common."""

    seeds: int = 3
    therapists: int = 12
    weeks: int = 26
    therapist_checkins: bool = False
    #: Answers are rounded to whole steps of this size, of 10.
    answers_step: float = FINEST_STEP

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """The instruments by which the answers are scored."""
        shipped = load_instruments(None)
        if self.answers_step == FINEST_STEP:
            return shipped
        own = coarse(shipped[INSTRUMENT], self.answers_step)
        return {own.id: own}


@dataclass(slots=True)
class Practice:
    """One simulated practice: the effective history of each case, its scores, and the truth."""

    items: dict[str, list[Item]]
    scores: dict[str, list[Scored]]
    truth: dict[str, dict[str, Any]]
    models: Mapping[str, MeasurementModel]
    conditions: Conditions
    #: Scored client check-ins without a rupture or before it: the denominator of the false flags.
    quiet_checkins: int = field(init=False)

    def __post_init__(self) -> None:
        self.quiet_checkins = sum(
            number < self.onset(case_id) for case_id, scores in self.scores.items() for number, _ in scores
        )

    def onset(self, case_id: str) -> int:
        """Session number of the onset, or never."""
        row = self.truth.get(case_id)
        return NEVER if row is None else int(row["onset_session"])

    def strained(self, case_id: str) -> range:
        """Session numbers of the planted stretch."""
        row = self.truth.get(case_id)
        return range(0) if row is None else range(row["onset_session"], row["onset_session"] + len(row["session_ids"]))

    def folded(self, case_id: str, sensitivity: float = 1.0, detectors: tuple[Detector, ...] = DETECTORS) -> Timeline:
        """One case from its first event to its last."""
        timeline = self.timeline(case_id, sensitivity, detectors)
        for at, record in self.items[case_id]:
            timeline.advance(at, record)
        return timeline

    def timeline(self, case_id: str, sensitivity: float = 1.0, detectors: tuple[Detector, ...] = DETECTORS) -> Timeline:
        """One case before its first event."""
        return Timeline(case_id, self.models, detectors=detectors, sensitivity=sensitivity)

    def screened(self) -> "Practice":
        """Without the check-ins that the product takes to be on a reversed scale."""
        kept = {}
        for case_id in self.items:
            points = self.folded(case_id, detectors=()).history.points
            kept[case_id] = [(point.session_number, point.score) for point in points if not point.is_scale_reversed]
        return Practice(self.items, kept, self.truth, self.models, self.conditions)


def practice(regime: Regime, seed: int, conditions: Conditions, models: Mapping[str, MeasurementModel]) -> Practice:
    """Simulate one practice and read its cases; `models` are those of the conditions' instruments."""
    ceiling, depth, autocorrelation, missingness = regime
    made = simulate(
        PracticeParameters(
            first_day=FIRST_DAY,
            seed=seed,
            therapists=conditions.therapists,
            weeks=conditions.weeks,
            ceiling=cast(Literal["base", "low", "heavy"], ceiling),
            rupture_depths=(depth,),
            autocorrelation=autocorrelation,
            missingness=cast(Literal["random", "informative"], missingness),
            therapist_checkins=conditions.therapist_checkins,
        )
    )
    instruments = conditions.instruments
    records: dict[str, list[Record]] = {}
    for raw in made.events:
        if conditions.answers_step != FINEST_STEP:
            _round_answers(raw, conditions.answers_step)
        event = accepted(raw, instruments)
        records.setdefault(event.event.subject, []).append(record_of(event))
    return Practice(
        items={case_id: effective(of_case) for case_id, of_case in records.items()},
        scores={case_id: scored(of_case) for case_id, of_case in records.items()},
        truth={row["case_id"]: row for row in made.truth},
        models=models,
        conditions=conditions,
    )


def coarse(shipped: Instrument, step: float) -> Instrument:
    """The same instrument with answers 0, 1, 2 and so on, one for each `step` of 10: the core sees how fine it is."""
    most = round(10 / step)
    if abs(most * step - 10) > 1e-9:
        raise ValueError("the step must divide 10")
    same = {name: getattr(shipped, name) for name in Definition.__struct_fields__}
    cutoff, error = shipped.cutoff, shipped.standard_error
    changes: dict[str, Any] = {
        "id": f"{shipped.id.partition('/')[0]}-of-{most}/1",
        "maximum": most,
        "decimals": 0,
        "cutoff": cutoff and Cutoff(cutoff.below / step, cutoff.source),
        "standard_error": error and StandardError(error.raw / step, error.source),
        "vectors": (),
    }
    return prepare(Definition(**{**same, **changes}))


def _round_answers(raw: dict[str, Any], step: float) -> None:
    """To the nearest whole number of steps, halves upwards, as an answer to the coarse instrument."""
    data = raw["data"]
    if "answers" in data:
        most = round(10 / step)
        data["instrument"] = f"{INSTRUMENT.partition('/')[0]}-of-{most}/1"
        data["answers"] = {item: floor(value / step + 0.5) for item, value in data["answers"].items()}


def calibrated(ceiling: str, conditions: Conditions) -> Prior:
    """What `alliance calibrate` finds in a practice of another seed under this ceiling, ruptures of all depths."""
    made = simulate(
        PracticeParameters(
            first_day=FIRST_DAY,
            seed=CALIBRATION_SEED,
            therapists=CALIBRATION_THERAPISTS,
            weeks=conditions.weeks,
            ceiling=cast(Literal["base", "low", "heavy"], ceiling),
        )
    )
    return calibrate(calibration_cases(histories_of(made.events, load_instruments(None)))).prior
