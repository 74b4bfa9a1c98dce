"""Sections 4 and 5: what is expected of a score, and who speaks when it is otherwise.

In: baseline residuals, a score and its session's number, an instrument. Out: signals.
Never: a number of the pipeline's own; each is copied from docs/rules.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from statistics import NormalDist

from tests.oracle.instruments import Instrument

BETWEEN_VARIANCE = (2.7 / 40) ** 2
WITHIN_VARIANCE = (1.6 / 40) ** 2
AUTOCORRELATION = 0.3
UNKNOWN_STANDARD_ERROR = 0.03

SEVERITIES = ("watch", "warning", "urgent")


@dataclass(frozen=True)
class Signal:
    """What one detector says of one check-in."""

    kind: str
    severity: str
    target: float
    rule: tuple[str, str, float]
    evidence: dict[str, float]


def usual(session_number: int) -> float:
    """The mean of all cases at a session number, a share of the range."""
    return 36.3 / 40 + 0.09 / 40 * (min(session_number, 10) - 1)


def level_of(residuals: Sequence[float]) -> tuple[float, float]:
    """The centre of a case and its level variance, by its baseline residuals."""
    count = len(residuals)
    if count == 0:
        return 0.0, BETWEEN_VARIANCE
    effective = count * (1 - AUTOCORRELATION) / (1 + AUTOCORRELATION)
    weight = BETWEEN_VARIANCE / (BETWEEN_VARIANCE + WITHIN_VARIANCE / effective)
    return weight * fsum(residuals) / count, BETWEEN_VARIANCE * (1 - weight)


def signals(
    score: float, session_number: int, residuals: Sequence[float], checkins: int, instrument: Instrument
) -> list[Signal]:
    """All that speak, in the order of the table; `checkins` counts the scored check-ins up to this one."""
    spoken = (
        _drop(score, session_number, residuals, checkins, instrument),
        _low(score, session_number, residuals, checkins, instrument),
    )
    return [signal for signal in spoken if signal is not None]


def gravest(spoken: Sequence[Signal]) -> Signal:
    """The gravest signal, the first among equals."""
    return max(spoken, key=lambda signal: SEVERITIES.index(signal.severity))


def _drop(
    score: float, session_number: int, residuals: Sequence[float], checkins: int, instrument: Instrument
) -> Signal | None:
    centre, level_variance = level_of(residuals)
    expected = usual(session_number) + centre
    error = instrument.standard_error
    spread = max(sqrt(level_variance + WITHIN_VARIANCE), UNKNOWN_STANDARD_ERROR if error is None else error)
    deviation = (score - expected) / spread
    if not deviation < -2:
        return None
    return Signal(
        kind="drop",
        severity="urgent" if deviation < -3 else "warning",
        target=expected - sqrt(WITHIN_VARIANCE),
        rule=("predictive-z-below-2", "1", 1.4),
        evidence={
            "score": score,
            "expected": round(expected, 4),
            "deviation": round(deviation, 4),
            "checkins": checkins,
        },
    )


def _low(
    score: float, session_number: int, residuals: Sequence[float], checkins: int, instrument: Instrument
) -> Signal | None:
    cutoff = instrument.cutoff
    if cutoff is None or not residuals:
        return None
    centre, level_variance = level_of([*residuals, score - usual(session_number)])
    level = usual(session_number) + centre
    probability = NormalDist().cdf((cutoff - level) / sqrt(level_variance))
    if not probability > 0.8:
        return None
    return Signal(
        kind="low",
        severity="warning" if probability > 0.95 else "watch",
        target=cutoff,
        rule=("posterior-level-below-cutoff", "1", 0.5),
        evidence={
            "score": score,
            "level": round(level, 4),
            "cutoff": round(cutoff, 4),
            "probability": round(probability, 4),
            "checkins": checkins,
        },
    )
