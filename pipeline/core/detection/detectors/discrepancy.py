"""`discrepancy`: client down, therapist has not noticed; or the therapist down where the client's forms show nothing.

In: a history. Out: a signal when both have answered about the newest session and disagree, each measured against the
own usual answers.
Never: compare raw scores (therapists rate lower by design).

Formula: client z < -1.5, therapist z > -0.5 (each one's residual in predictive SDs) and evidence over the limit less
0.5 nats; or the therapist's residuals carry evidence over the limit.
"""

from pipeline.core.detection.detectors.signal import of_strain
from pipeline.core.detection.evidence import THERAPIST
from pipeline.core.detection.history import History, Signal
from schemas.flags import Rule

CLIENT_DEVIATION, THERAPIST_DEVIATION = -1.5, -0.5
FEWEST_CHECKINS = 4
EASED = 0.5
RULE = Rule(name="residuals-of-both-raters-apart", version="2", expected_false_flags_per_100=0.08)


def discrepancy(history: History) -> Signal | None:
    """Speak when client and therapist see the newest session differently."""
    if history.therapist_checkins < FEWEST_CHECKINS:
        return None
    if _is_unnoticed(history):
        return of_strain(
            history,
            "discrepancy",
            RULE,
            THERAPIST,
            f"After session {history.session_number} the client was lower than usual and the therapist was not.",
        )
    if history.is_leading(THERAPIST):
        return of_strain(
            history,
            "discrepancy",
            RULE,
            THERAPIST,
            f"Up to session {history.session_number} the therapist has rated the work lower than usual, "
            "which the client's check-ins do not show as much.",
        )
    return None


def _is_unnoticed(history: History) -> bool:
    if not history.points or history.points[-1].session_number != history.therapist_session:
        return False
    point = history.points[-1]
    return (
        not point.is_mirrored
        and point.deviation < CLIENT_DEVIATION
        and history.therapist_deviation > THERAPIST_DEVIATION
        and history.strain.evidence >= history.limit - EASED
    )
