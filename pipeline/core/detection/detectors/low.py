"""`low`: the case's level is probably below the instrument's cut-off.

In: a history. Out: a signal if, after at least three check-ins, the level is almost certainly below the cut-off.
Never: rest on one low check-in (that is `drop`), or on an instrument without a cut-off.

Formula: posterior of the level (`pipeline.core.detection.level`), (cut-off - level) / SD > 2, that is
P(level < cut-off) > 0.977.
"""

from math import sqrt

from pipeline.core.detection.history import History
from pipeline.core.detection.level import normal_sf
from pipeline.core.detection.signal import Signal
from schemas.flags import Rule

#: Below the cut-off by this many SDs of the level: to be raised; to be a warning. At 0.84 SDs (P > 0.8) this rule alone
#: raised more false flags than all others (docs/flags/low.md).
LIMIT_SDS = 2.0
GRAVE_SDS = 3.5
#: One low check-in is a dip, two may be; three are a level.
FEWEST_CHECKINS = 3
#: Rounding errors can leave a variance at or below 0; then an SD of 0.0001 is used.
_LEAST_VARIANCE = 1e-8
RULE = Rule(name="posterior-level-below-cutoff", version="2", expected_false_flags_per_100=0.09)


def low(history: History) -> Signal | None:
    """The level is very probably below the cut-off."""
    cutoff, client = history.model.cutoff, history.client
    if cutoff is None or client.count < FEWEST_CHECKINS - 1 or len(history.points) < FEWEST_CHECKINS:
        return None
    level = history.model.prior.mean(client.session_number) + client.level
    below = cutoff - level
    if below <= 0:
        return None
    sds = below / sqrt(max(client.level_variance, _LEAST_VARIANCE))
    if sds <= LIMIT_SDS * history.sensitivity:
        return None
    probability = 1 - normal_sf(sds)
    return Signal(
        kind="low",
        severity="warning" if sds > GRAVE_SDS * history.sensitivity else "watch",
        target=cutoff,
        explanation=(
            f"After session {history.session_number} this client's usual score is probably below the cut-off "
            f"({_likely(probability)} likely, estimated {level:.2f}, cut-off {cutoff:.2f})."
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
