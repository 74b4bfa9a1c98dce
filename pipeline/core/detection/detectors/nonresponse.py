"""`nonresponse`: sessions are held but check-ins stop.

In: a history. Out: a signal if the evidence of strain is over the limit and missing check-ins are a main part of it.
Never: read a clock (a session is judged at the next event of the case); flag a client who has never completed one.

Formula: odds ratio 3 of a missing check-in while moving away, compared with the expected share of missing check-ins:
(missing + 6 x the practice's share) / (judged + 6).
"""

from pipeline.core.detection.evidence import MISSING
from pipeline.core.detection.history import History
from pipeline.core.detection.signal import Signal, strain_signal
from schemas.flags import Rule

RULE = Rule(name="strain-odds-missing-check-ins", version="1", expected_false_flags_per_100=0.14)


def nonresponse(history: History) -> Signal | None:
    """Check-ins that this client used to complete are missing."""
    if not history.points or not history.missing_in_a_row or not history.is_leading(MISSING):
        return None
    count = history.missing_in_a_row
    which = f"the last {count} check-ins" if count > 1 else "the last check-in"
    return strain_signal(
        history,
        "nonresponse",
        RULE,
        MISSING,
        f"This client has not completed {which}, which is unusual for them and for this practice.",
    )
