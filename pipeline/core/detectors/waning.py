"""`waning`: a slide over several sessions.

In: a history. Out: a signal when the evidence of strain is over the limit and earlier scores carry it.
Never: need a run of its own length; each score counts by how far it lies under its prediction.

Formula: as `drop`, but the part that scores before the newest session have added, fading by the factor STAY a session:
a one-sided accumulating chart on residuals whitened by the AR(1) prediction.
"""

from pipeline.core.detectors.evidence import of_strain
from pipeline.core.history import History, Signal
from pipeline.core.strain import EARLIER
from schemas.flags import Rule

RULE = Rule(name="strain-odds-earlier-scores", version="1", expected_false_flags_per_100=0.07)


def waning(history: History) -> Signal | None:
    """Speak when several check-ins together are lower than predicted."""
    if not history.is_leading(EARLIER):
        return None
    return of_strain(
        history,
        "waning",
        RULE,
        EARLIER,
        f"Over the sessions up to session {history.session_number} this client's check-ins have been sliding below "
        "what their earlier ones lead one to expect.",
    )
