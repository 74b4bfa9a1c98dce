"""`drop`: one check-in far below what this case and this practice predict.

In: a history. Out: a signal when the newest score lies more than 2 predictive SDs below its prediction.
Never: compare with the previous score alone (a one-point rule flags most quiet cases).

Formula: z = (y - expected) / sd < -2, one-sided, expected and sd as in `pipeline.core.history`.
"""

from math import sqrt

from pipeline.core.history import History, Signal
from schemas.flags import Rule

WATCH, URGENT = -2.0, -3.0
RULE = Rule(name="predictive-z-below-2", version="1", expected_false_flags_per_100=1.4)


def drop(history: History) -> Signal | None:
    """Speak when the newest check-in is far lower than predicted."""
    point = history.points[-1]
    if point.deviation >= WATCH:
        return None
    return Signal(
        kind="drop",
        severity="urgent" if point.deviation < URGENT else "warning",
        target=point.expected - sqrt(history.yardstick.prior.within_variance),
        explanation=(
            f"The check-in after session {point.session_number} was far lower than this client's earlier "
            f"check-ins and this practice lead one to expect ({point.score:.2f}, expected {point.expected:.2f})."
        ),
        evidence={
            "score": point.score,
            "expected": round(point.expected, 4),
            "deviation": round(point.deviation, 4),
            "checkins": len(history.points),
        },
        rule=RULE,
    )
