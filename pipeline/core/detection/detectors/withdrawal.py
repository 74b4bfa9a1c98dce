"""`withdrawal`: flat, perfect or frozen answers; shrinking engagement.

In: a history. Out: a signal when the evidence of strain is over the limit and the form of the answers, or missed
appointments, carry it.
Never: hold against a client what this client has always done.

Formula: likelihood ratio of a form with all answers alike or the same as last time, of an unexpectedly perfect form, of
an appointment missed by the client, each against the case's own and the practice's usual
(`pipeline.core.detection.history`).
"""

from pipeline.core.detection.detectors.signal import of_strain
from pipeline.core.detection.evidence import FORM
from pipeline.core.detection.history import History, Signal
from schemas.flags import Rule

#: Scored check-ins from which on there is a usual.
FEWEST_CHECKINS = 3
RULE = Rule(name="strain-odds-form-and-attendance", version="2", expected_false_flags_per_100=0.24)


def withdrawal(history: History) -> Signal | None:
    """Speak when the client seems to hold back."""
    if not history.is_leading(FORM):
        return None
    return of_strain(
        history,
        "withdrawal",
        RULE,
        FORM,
        f"Around session {history.session_number} {WHAT[history.form_ground]}, which is not {_usual(history)}.",
    )


#: By what last spoke.
WHAT = {
    "missed": "the client missed an appointment after other signs of holding back",
    "stiff": "all answers were alike or the same as last time",
    "perfect": "the answers were unexpectedly perfect",
}


def _usual(history: History) -> str:
    if len(history.points) < FEWEST_CHECKINS:
        return "what is usual in this practice"
    return "how this client usually responds"
