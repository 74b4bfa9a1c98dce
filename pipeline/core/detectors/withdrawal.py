"""`withdrawal`: flat, perfect or frozen answers; shrinking engagement.

In: a history. Out: a signal when the evidence of strain is over the limit and the form of the answers, or missed
appointments, carry it.
Never: hold against a client what this client has always done.

Formula: likelihood ratio of a form with all answers alike or the same as last time, of an unexpectedly perfect form, of
an appointment missed by the client, each against the case's own and the practice's usual (`pipeline.core.history`).
"""

from pipeline.core.detectors.evidence import of_strain
from pipeline.core.history import History, Signal
from pipeline.core.strain import FORM
from schemas.flags import Rule

RULE = Rule(name="strain-odds-form-and-attendance", version="1", expected_false_flags_per_100=0.29)


def withdrawal(history: History) -> Signal | None:
    """Speak when the client seems to hold back."""
    if not history.is_leading(FORM):
        return None
    return of_strain(
        history,
        "withdrawal",
        RULE,
        FORM,
        f"Around session {history.session_number} {_what(history)}, which is not how this client usually responds.",
    )


def _what(history: History) -> str:
    if history.missed_in_a_row:
        return "the client missed an appointment"
    if history.is_stiff:
        return "all answers were alike or the same as last time"
    return "the answers were flat or unexpectedly perfect"
