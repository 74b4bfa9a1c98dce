"""What a detector reports, and the numbers that each flag of a strain shows.

In: a history and a detector's own sentence. Out: the `Signal`.
Never: decide whether there is something to report.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.core.detection.history import History
from schemas.flags import Kind, Rule, Severity


@dataclass(frozen=True, slots=True)
class Signal:
    """A detector's finding. A later check-in at or above `target` (0-1) counts as back within limits."""

    kind: Kind
    severity: Severity
    target: float
    explanation: str
    evidence: dict[str, float]
    rule: Rule


Detector = Callable[[History], Signal | None]


def strain_signal(
    history: History, kind: Kind, rule: Rule, sign: int, explanation: str, more: Mapping[str, float] | None = None
) -> Signal:
    """A signal with the numbers that each flag of a strain carries, and more of its own."""
    evidence = {
        "evidence": round(history.evidence.nats, 4),
        "limit": round(history.limit, 4),
        "own_evidence": round(history.evidence.signs[sign], 4),
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
