"""`nonresponse`: sessions are held but check-ins stop.

In: a history. Out: a signal when the evidence of strain is over the limit and missing check-ins carry it.
Never: read a clock (a session is judged at the next thing that happens); blame a client who has never answered one.

Formula: odds ratio 3 of a missing form while moving away, against the expected share of missing forms:
(missing + 6 x the practice's share) / (judged + 6).
"""

from pipeline.core.detection.detectors.signal import of_strain
from pipeline.core.detection.evidence import MISSING
from pipeline.core.detection.history import History, Signal
from schemas.flags import Rule

RULE = Rule(name="strain-odds-missing-check-ins", version="1", expected_false_flags_per_100=0.14)


def nonresponse(history: History) -> Signal | None:
    """Speak when check-ins stay away that this client used to give."""
    if not history.points or not history.missing_in_a_row or not history.is_leading(MISSING):
        return None
    count = history.missing_in_a_row
    which = f"the last {count} sessions" if count > 1 else "the last session"
    return of_strain(
        history,
        "nonresponse",
        RULE,
        MISSING,
        f"The client gave no check-in after {which}, which is not to be expected of this client in this practice.",
    )
