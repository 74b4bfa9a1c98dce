"""`waning`: a slide over several sessions.

In: a history. Out: a signal when the evidence of strain is over the limit and earlier scores carry it, or when the
cumulative sum of what scores lack is over its own.
Never: need a run of its own length; each score counts by how far it lies under its prediction.

Formula: as `drop`, but the part that scores before the newest session have added, fading by the factor STAY a session:
an accumulating chart on residuals whitened by the AR(1) prediction. For slides too slow for that a one-sided cumulative
sum of the same residuals, S <- max(0, S - z - 0.5) from the third score on, limit 5 (domain table: one in 888).
"""

from pipeline.core.detection.detectors.signal import of_strain
from pipeline.core.detection.evidence import EARLIER
from pipeline.core.detection.history import History, Signal
from schemas.flags import Rule

SLIDE_LIMIT = 5.0
RULE = Rule(name="strain-odds-earlier-scores", version="1", expected_false_flags_per_100=0.05)


def waning(history: History) -> Signal | None:
    """Speak when several check-ins together are lower than predicted."""
    if not history.is_leading(EARLIER) and history.slide <= SLIDE_LIMIT * history.sensitivity:
        return None
    return of_strain(
        history,
        "waning",
        RULE,
        EARLIER,
        f"Taken together, this client's check-ins up to session {history.session_number} are lower than their earlier "
        "ones and this practice lead one to expect.",
        {"slide": round(history.slide, 4), "slide_limit": round(SLIDE_LIMIT * history.sensitivity, 4)},
    )
