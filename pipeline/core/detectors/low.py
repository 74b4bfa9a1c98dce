"""`low`: the case's level is probably under the instrument's cut-off.

In: a history. Out: a signal when, after at least two check-ins, P(level < cut-off) > 0.8.
Never: speak on one low form (that is `drop`) or without a published or stated cut-off.

Formula: posterior of the level from the baseline and the newest check-in (`History.level`), normal tail at the cut-off.
"""

from math import erf, sqrt

from pipeline.core.history import History, Signal
from schemas.flags import Rule

PROBABILITY = 0.8
GRAVE = 0.95
FEWEST_CHECKINS = 2
RULE = Rule(name="posterior-level-below-cutoff", version="1", expected_false_flags_per_100=0.5)


def low(history: History) -> Signal | None:
    """Speak when the level is probably under the cut-off."""
    cutoff = history.yardstick.cutoff
    if cutoff is None or history.baseline_count + 1 < FEWEST_CHECKINS:
        return None
    point = history.points[-1]
    mean = history.yardstick.prior.mean(point.session_number)
    residual = point.score - mean
    centre, variance = history.level(history.baseline_count + 1, history.baseline_residuals + residual)
    level = mean + centre
    probability = 0.5 * (1 + erf((cutoff - level) / sqrt(2 * max(variance, 1e-12))))
    if probability <= PROBABILITY:
        return None
    return Signal(
        kind="low",
        severity="warning" if probability > GRAVE else "watch",
        target=cutoff,
        explanation=(
            f"After session {point.session_number} this client's alliance is probably below the cut-off "
            f"({probability:.0%} likely, level {level:.2f}, cut-off {cutoff:.2f})."
        ),
        evidence={
            "score": point.score,
            "level": round(level, 4),
            "cutoff": round(cutoff, 4),
            "probability": round(probability, 4),
            "checkins": len(history.points),
        },
        rule=RULE,
    )
