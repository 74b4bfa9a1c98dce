"""`drop`: one check-in far below what this case and this practice predict.

In: a history. Out: a signal when the evidence of strain is over the limit and the newest score carries it.
Never: compare with the previous score alone (a one-point rule flags most quiet cases).

Formula: ln of the odds of strain (`pipeline.core.detection.evidence`), the newest score's likelihood ratio its leading
part:
exp(-d(z + d/2)) averaged over shifts d, z = (score - expected) / sd. Units: nats; scores 0-1.
"""

from pipeline.core.detection.detectors.signal import of_strain
from pipeline.core.detection.evidence import SCORE
from pipeline.core.detection.history import History, Signal
from schemas.flags import Rule

RULE = Rule(name="strain-odds-newest-score", version="2", expected_false_flags_per_100=0.31)


def drop(history: History) -> Signal | None:
    """Speak when the newest check-in is far lower than predicted."""
    if not history.is_leading(SCORE):
        return None
    point = history.points[-1]
    return of_strain(
        history,
        "drop",
        RULE,
        SCORE,
        f"The check-in after session {point.session_number} was far lower than {_grounds(history)} "
        f"({point.score:.2f}, expected {min(point.expected, 1.0):.2f}).",
    )


def _grounds(history: History) -> str:
    if len(history.points) == 1:
        return "one expects of a first check-in in this practice"
    return "this client's earlier check-ins and this practice lead one to expect"
