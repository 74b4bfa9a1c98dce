"""`discrepancy`: the client's scores are low and the therapist has not noticed, or the other way round.

In: a history. Out: a signal if both have answered about the newest session and disagree, each compared with their own
usual answers, or if the therapist's own ratings have fallen.
Never: compare raw scores (therapists rate lower by design).

Formula: client z < -1.5, therapist z > -0.5 (residuals in predictive SDs) and evidence over the limit less 0.5 nats; or
the therapist's residuals are a main part of evidence over the limit.
"""

from pipeline.core.detection.evidence import THERAPIST
from pipeline.core.detection.history import History
from pipeline.core.detection.signal import Signal, strain_signal
from schemas.flags import Rule

#: In predictive SDs, working values: a clear fall of the client, and a therapist who rates about as usual.
CLIENT_DEVIATION, THERAPIST_DEVIATION = -1.5, -0.5
#: Check-ins of the therapist before their usual rating is known.
FEWEST_CHECKINS = 4
#: Nats by which the limit is lower if the therapist has not noticed: two raters who disagree are a sign in themselves.
EASED = 0.5
RULE = Rule(name="residuals-of-both-raters-apart", version="2", expected_false_flags_per_100=0.08)


def discrepancy(history: History) -> Signal | None:
    """Client and therapist see the newest session differently."""
    if history.therapist_checkins < FEWEST_CHECKINS:
        return None
    if _is_unnoticed(history):
        return strain_signal(
            history,
            "discrepancy",
            RULE,
            THERAPIST,
            f"After session {history.session_number} the client's score was lower than usual for them, "
            "and the therapist's rating was not.",
        )
    if history.is_leading(THERAPIST):
        return strain_signal(
            history,
            "discrepancy",
            RULE,
            THERAPIST,
            f"Up to session {history.session_number} the therapist has rated the work lower than usual for them, "
            "and the client's check-ins show less of it.",
        )
    return None


def _is_unnoticed(history: History) -> bool:
    if not history.points or history.points[-1].session_number != history.therapist_session:
        return False
    point = history.points[-1]
    return (
        not point.is_scale_reversed
        and point.deviation < CLIENT_DEVIATION
        and history.therapist_deviation > THERAPIST_DEVIATION
        and history.evidence.nats >= history.limit - EASED
    )
