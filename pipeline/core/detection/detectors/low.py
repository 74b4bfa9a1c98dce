"""`low`: the case's level is probably under the instrument's cut-off.

In: a history. Out: a signal when, after at least three check-ins, the level lies surely under the cut-off.
Never: speak on one low form (that is `drop`) or without a published or stated cut-off.

Formula: posterior of the level (`pipeline.core.detection.level`), (cut-off - level) / SD > 2, that is
P(level < cut-off) > 0.977.
"""

from math import sqrt

from pipeline.core.detection.history import History, Signal
from pipeline.core.detection.level import upper_tail
from schemas.flags import Rule

LIMIT_SDS = 2.0
GRAVE_SDS = 3.5
FEWEST_CHECKINS = 3
RULE = Rule(name="posterior-level-below-cutoff", version="2", expected_false_flags_per_100=0.09)


def low(history: History) -> Signal | None:
    """Speak when the level is very probably under the cut-off."""
    cutoff, client = history.yardstick.cutoff, history.client
    if cutoff is None or client.count < FEWEST_CHECKINS - 1 or len(history.points) < FEWEST_CHECKINS:
        return None
    level = history.yardstick.prior.mean(client.session_number) + client.level
    below = cutoff - level
    if below <= 0:
        return None
    sds = below / sqrt(max(client.level_variance, 1e-8))
    if sds <= LIMIT_SDS * history.sensitivity:
        return None
    probability = 1 - upper_tail(sds)
    return Signal(
        kind="low",
        severity="warning" if sds > GRAVE_SDS * history.sensitivity else "watch",
        target=cutoff,
        explanation=(
            f"After session {history.session_number} this client's alliance is probably below the cut-off "
            f"({_likely(probability)} likely, level {level:.2f}, cut-off {cutoff:.2f})."
        ),
        evidence={
            "score": history.points[-1].score,
            "level": round(level, 4),
            "cutoff": round(cutoff, 4),
            "probability": round(probability, 4),
            "checkins": len(history.points),
        },
        rule=RULE,
    )


def _likely(probability: float) -> str:
    return "more than 99%" if probability > 0.99 else f"{probability:.0%}"
