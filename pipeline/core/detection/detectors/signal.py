"""What a flag of strain shows for itself.

In: a history and a detector's own sentence. Out: the `Signal`.
Never: decide whether to speak.
"""

from collections.abc import Mapping

from pipeline.core.detection.history import History, Signal
from schemas.flags import Kind, Rule


def of_strain(
    history: History, kind: Kind, rule: Rule, sign: int, explanation: str, more: Mapping[str, float] | None = None
) -> Signal:
    """A signal with the numbers that every flag of strain carries, and more of its own."""
    evidence = {
        "evidence": round(history.strain.evidence, 4),
        "limit": round(history.limit, 4),
        "own_evidence": round(history.strain.signs[sign], 4),
        "checkins": len(history.points),
        "sessions": history.session_number,
    }
    if history.points:
        point = history.points[-1]
        evidence["score"] = point.score
        evidence["expected"] = round(min(point.expected, 1.0), 4)
        evidence["deviation"] = round(point.deviation, 4)
    evidence |= more or {}
    return Signal(kind, history.severity, history.target, explanation, evidence, rule)
