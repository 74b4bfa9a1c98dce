"""`withdrawal`: invariant, repeated or perfect answers; missed appointments.

In: a history. Out: a signal if the evidence of strain is over the limit and the response style, or missed appointments,
are a main part of it.
Never: flag a client for what this client has always done.

Formula: likelihood ratio of a check-in whose answers are all the same or the same as last time, of an unexpectedly
perfect check-in, of an appointment missed by the client, each compared with what is usual for this client and this
practice (`pipeline.core.detection.history`).
"""

from pipeline.core.detection.evidence import RESPONSE_STYLE
from pipeline.core.detection.history import History
from pipeline.core.detection.signal import Signal, strain_signal
from schemas.flags import Rule

#: From this many scored check-ins on, the sentence compares with the client's own, before that with the practice.
FEWEST_CHECKINS = 3
RULE = Rule(name="strain-odds-form-and-attendance", version="2", expected_false_flags_per_100=0.24)


def withdrawal(history: History) -> Signal | None:
    """The client seems to hold back."""
    if not history.is_leading(RESPONSE_STYLE):
        return None
    return strain_signal(
        history,
        "withdrawal",
        RULE,
        RESPONSE_STYLE,
        f"Around session {history.session_number} {WHAT[history.withdrawal_reason]}, which is unusual for "
        f"{_compared_with(history)}.",
    )


#: By the latest reason.
WHAT = {
    "missed": "this client missed an appointment after other signs of holding back",
    "invariant": "all answers were the same, or the same as last time",
    "perfect": "the answers were unexpectedly perfect",
}


def _compared_with(history: History) -> str:
    return "this practice" if len(history.points) < FEWEST_CHECKINS else "this client"
