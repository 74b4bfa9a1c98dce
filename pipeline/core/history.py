"""A case's scored client check-ins up to now, with what each was expected to be.

In: scores, one by one, in the order of the sessions. Out: points, the baseline, predictions.
Never: open a flag; look ahead.

Units: shares of the instrument's range (0-1). The prediction is the textbook normal posterior of a random-intercept
model with AR(1) residuals: with n baseline residuals, n_eff = n(1-phi)/(1+phi), B = Vb/(Vb + Vw/n_eff),
expected = m(session) + B * mean residual, variance = Vb(1-B) + Vw, never below the instrument's standard error.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import sqrt

from pipeline.core.prior import Yardstick
from schemas.flags import Kind, Rule, Severity


@dataclass(frozen=True, slots=True)
class Point:
    """One scored client check-in."""

    session_number: int
    at: int
    score: float
    #: What the baseline and the prior predicted, and how far off the score was, in predictive SDs.
    expected: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Signal:
    """A detector speaks. `target` is the score (0-1) from which on a later check-in counts as back within limits."""

    kind: Kind
    severity: Severity
    target: float
    explanation: str
    evidence: dict[str, float]
    rule: Rule


@dataclass(slots=True)
class History:
    """The points so far and the running baseline (check-ins outside of episodes)."""

    yardstick: Yardstick
    points: list[Point] = field(default_factory=list)
    baseline_count: int = 0
    baseline_residuals: float = 0.0

    def add(self, session_number: int, at: int, score: float, yardstick: Yardstick) -> Point:
        """Put a check-in at the end; the baseline is not touched."""
        self.yardstick = yardstick
        expected, spread = self.predict(session_number)
        point = Point(session_number, at, score, expected, (score - expected) / spread)
        self.points.append(point)
        return point

    def take_into_baseline(self, point: Point) -> None:
        """Let a check-in outside of any episode teach what is usual here."""
        self.baseline_count += 1
        self.baseline_residuals += point.score - self.yardstick.prior.mean(point.session_number)

    def predict(self, session_number: int) -> tuple[float, float]:
        """Expected score and predictive SD at a session of this number, before its check-in is seen."""
        prior = self.yardstick.prior
        centre, level_variance = self.level(self.baseline_count, self.baseline_residuals)
        spread = sqrt(level_variance + prior.within_variance)
        return prior.mean(session_number) + centre, max(spread, self.yardstick.standard_error)

    def level(self, count: int, residuals: float) -> tuple[float, float]:
        """Posterior mean and variance of the case's distance from the practice's mean, from `count` residuals."""
        prior = self.yardstick.prior
        if count == 0:
            return 0.0, prior.between_variance
        effective = count * (1 - prior.autocorrelation) / (1 + prior.autocorrelation)
        weight = prior.between_variance / (prior.between_variance + prior.within_variance / max(effective, 1e-9))
        return weight * residuals / count, prior.between_variance * (1 - weight)


Detector = Callable[[History], Signal | None]
