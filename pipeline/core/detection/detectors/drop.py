"""`drop`: one check-in far below what this case and this practice predict.

In: a history. Out: a signal if the evidence of strain is over the limit and the newest score is a main part of it.
Never: compare with the previous score alone (a one-point rule flags most quiet cases).

Formula: ln of the odds of strain (`pipeline.core.detection.evidence`), the newest score's likelihood ratio its main
part: exp(-d(z + d/2)) averaged over shifts d, z = (score - expected) / sd. Units: nats; scores 0-1.
"""

from pipeline.core.detection.evidence import SCORE
from pipeline.core.detection.history import History
from pipeline.core.detection.signal import Signal, strain_signal
from schemas.flags import Rule

RULE = Rule(name="strain-odds-newest-score", version="2", expected_false_flags_per_100=0.31)


def drop(history: History) -> Signal | None:
    """The newest check-in is far lower than predicted."""
    if not history.is_leading(SCORE):
        return None
    point = history.points[-1]
    return strain_signal(
        history,
        "drop",
        RULE,
        SCORE,
        f"The score after session {point.session_number} was far lower than we would expect {_grounds(history)} "
        f"({point.score:.2f}, expected {min(point.expected, 1.0):.2f}).",
    )


def _grounds(history: History) -> str:
    if len(history.points) == 1:
        return "of a first check-in in this practice"
    return "from this client's earlier check-ins"
