"""The bound of the detection benchmark: a gradient-boosted classifier trained on the truth of other seeds.

In: effective histories and the truth. Out: at which sessions it would flag, at any limit, with the product's lifecycle.
Never: a part of the product; only this file needs scikit-learn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.case.flag_lifecycle import REPAIR_CHECKINS, UNREPAIRED_AFTER
from pipeline.core.case.timeline import Item, Timeline
from pipeline.core.detection.history import History
from pipeline.core.detection.prior import MeasurementModel
from pipeline.core.records import CLIENT, CheckinRecord, MissedRecord, Record

_LIMITS = 40


@dataclass(slots=True)
class Moments:
    """One row for each event: what was known, the truth, and what the lifecycle needs."""

    cases: list[str]
    features: np.ndarray
    truths: np.ndarray
    sessions: list[int]
    scores: list[float | None]
    targets: list[float]
    chances: np.ndarray

    def openings(self, limit: float) -> dict[str, list[int]]:
        """Session numbers of the flags if a chance above `limit` raises one."""
        found: dict[str, list[int]] = {}
        case, target, opened, back, is_live, is_armed = "", 0.0, 0, 0, False, True
        for index, chance in enumerate(self.chances.tolist()):
            if self.cases[index] != case:
                case, is_live, is_armed = self.cases[index], False, True
            score, number = self.scores[index], self.sessions[index]
            if is_live:
                if score is not None:
                    back = back + 1 if score >= target else 0
                if back >= REPAIR_CHECKINS:
                    is_live, is_armed = False, True
                elif number - opened >= UNREPAIRED_AFTER:
                    is_live, is_armed = False, False
            elif chance > limit and is_armed:
                target, opened, back, is_live = self.targets[index], number, 0, True
                found.setdefault(case, []).append(number)
            else:
                is_armed = is_armed or chance <= limit
        return found


def moments_of(
    items: Mapping[str, Sequence[Item]],
    truth: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, MeasurementModel],
    within: int,
) -> Moments:
    """What is known at each moment if no flag is ever raised."""
    cases: list[str] = []
    rows: list[list[float]] = []
    truths: list[bool] = []
    sessions: list[int] = []
    scores: list[float | None] = []
    targets: list[float] = []
    for case_id, of_case in items.items():
        onset = truth[case_id]["onset_session"] if case_id in truth else None
        timeline, past = Timeline(case_id, models, detectors=()), [0.0] * 4
        for at, record in of_case:
            timeline.advance(at, record)
            history = timeline.history
            score = record.total if isinstance(record, CheckinRecord) and record.rater == CLIENT else None
            if score is not None:
                past = [score, *past[:3]]
            cases.append(case_id)
            rows.append(_features(history, record, past))
            truths.append(onset is not None and 0 <= history.session_number - onset <= within)
            sessions.append(history.session_number)
            scores.append(score)
            targets.append(history.target)
    return Moments(cases, np.array(rows), np.array(truths), sessions, scores, targets, np.zeros(len(rows)))


def _features(history: History, record: Record, past: Sequence[float]) -> list[float]:
    point = history.points[-1] if history.points else None
    before = history.points[-2] if len(history.points) > 1 else None
    is_checkin = isinstance(record, CheckinRecord)
    ingredients = sorted(record.ingredients.values()) if isinstance(record, CheckinRecord) else []
    return [
        history.session_number,
        len(history.points),
        float(is_checkin),
        float(isinstance(record, MissedRecord)),
        point.deviation if point else 0.0,
        point.expected if point else 1.0,
        float(point.is_scale_reversed) if point else 0.0,
        before.deviation if before else 0.0,
        history.evidence.nats,
        *history.evidence.signs,
        history.evidence.away / (history.evidence.away + history.evidence.against + 1e-9),
        history.client.level,
        history.client.level_variance,
        history.missing_in_a_row,
        history.missing_share,
        history.judged,
        history.missed,
        history.invariant,
        history.answered,
        float(history.is_invariant),
        float(isinstance(record, CheckinRecord) and record.straight_lined),
        float(isinstance(record, CheckinRecord) and record.perfect),
        ingredients[0] if ingredients else 2.0,
        ingredients[-1] if ingredients else 2.0,
        history.perfect_surprise,
        *past,
    ]


@dataclass(slots=True)
class Bound:
    """A trained classifier."""

    model: Any

    @classmethod
    def trained(cls, others: Sequence[Moments]) -> "Bound":
        """Learn from other seeds."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(
            max_iter=120,
            learning_rate=0.06,
            max_leaf_nodes=12,
            min_samples_leaf=40,
            l2_regularization=1.0,
            random_state=1,
        )
        model.fit(
            np.concatenate([moments.features for moments in others]),
            np.concatenate([moments.truths for moments in others]),
        )
        return cls(model)

    def judged(self, moments: Moments) -> Moments:
        """The same moments with the chance of a rupture."""
        moments.chances = self.model.predict_proba(moments.features)[:, 1]
        return moments

    @staticmethod
    def limits(judged: Sequence[Moments]) -> list[float]:
        """Limits, from the fewest flags to the most."""
        chances = np.concatenate([moments.chances for moments in judged])
        shares = np.geomspace(0.0005, 0.25, _LIMITS)
        return [float(limit) for limit in np.quantile(chances, 1 - shares)]
