"""`waning`: scores slide over several sessions.

In: a history. Out: a signal if the evidence of strain is over the limit and earlier scores are a main part of it, or if
the cumulative sum of what scores lack is over its own limit.
Never: need a run of a fixed length; each score counts by how far it is below its prediction.

Formula: as `drop`, but the part that scores before the newest session have added, fading by the factor STAY a session:
an accumulating chart on residuals whitened by the AR(1) prediction. For slides too slow for that a one-sided cumulative
sum of the same residuals (Page 1954), S <- max(0, S - z - 0.5) from the third score on.
"""

from pipeline.core.detection.evidence import EARLIER
from pipeline.core.detection.history import History
from pipeline.core.detection.signal import Signal, strain_signal
from schemas.flags import Rule

#: In predictive SDs. With slack 0.5 the chart passes 5 by chance once in about 900 scores (average run length of a
#: one-sided CUSUM, h = 5, k = 0.5).
SLIDE_LIMIT = 5.0
RULE = Rule(name="strain-odds-earlier-scores", version="1", expected_false_flags_per_100=0.05)


def waning(history: History) -> Signal | None:
    """Several check-ins together are lower than predicted."""
    if not history.is_leading(EARLIER) and history.slide <= SLIDE_LIMIT * history.sensitivity:
        return None
    return strain_signal(
        history,
        "waning",
        RULE,
        EARLIER,
        f"Over several sessions up to session {history.session_number}, this client's scores have been lower than we "
        "would expect from their earlier check-ins.",
        {"slide": round(history.slide, 4), "slide_limit": round(SLIDE_LIMIT * history.sensitivity, 4)},
    )
