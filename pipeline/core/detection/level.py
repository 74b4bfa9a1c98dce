"""A rater's usual score, session by session: a level, an autocorrelated residual, and a ceiling.

In: scores with their session numbers, in order. Out: the score to expect next, and how certain that is.
Never: treat a score at the ceiling as an exact measurement; divide by a spread under the standard error.

Formula: y = min(1, m(s) + level + e), level ~ N(0, Vb), e AR(1) with variance Vw and lag-1 correlation phi per session:
a two-state Kalman filter. A score at the ceiling says only "at least 1": the state moves by the mean and variance of
the truncated normal (Tobit likelihood, matched by two moments). Units: shares of the instrument's range.
"""

from dataclasses import dataclass
from math import erfc, exp, pi, sqrt

from pipeline.core.detection.prior import GROWTH_SESSIONS, Prior

#: Scores have six decimals; anything this near 1 is the best possible score.
CEILING = 1.0 - 1e-9
_ROOT_HALF = sqrt(0.5)
_ROOT_TAU = sqrt(2 * pi)
#: Beyond this many SDs density and tail are both about 1e-9; their ratio is then taken from its asymptote.
_FAR = 6.0
#: After a gap of more sessions than this nothing is left of the residual; the power is not computed further.
_LONGEST_GAP = 60


def normal_sf(z: float) -> float:
    """P(Z > z) of a standard normal: the survival function."""
    return 0.5 * erfc(z * _ROOT_HALF)


@dataclass(slots=True)
class Level:
    """Posterior of level and residual: means, variances and their covariance."""

    prior: Prior
    level: float = 0.0
    residual: float = 0.0
    level_variance: float = 0.0
    covariance: float = 0.0
    residual_variance: float = 0.0
    session_number: int = 0
    #: Sum of the weights of the scores used so far.
    count: float = 0.0

    def __post_init__(self) -> None:
        self.level_variance = self.prior.between_variance
        self.residual_variance = self.prior.within_variance

    def predict(self, session_number: int, floor: float, rounding: float = 0.0) -> tuple[float, float]:
        """Expected score before the ceiling and its SD, at this session or, if it is past, at the latest one.

        `floor`: the standard error of the instrument; `rounding`: the variance that its coarse answers add.
        """
        if session_number > self.session_number:
            self._advance(session_number)
        variance = self.level_variance + 2 * self.covariance + self.residual_variance + rounding
        spread = sqrt(variance) if variance > 0 else 0.0
        prior = self.prior
        # `Prior.mean` written out: this line runs for every check-in.
        mean = prior.first_mean + prior.growth_per_session * (min(self.session_number, GROWTH_SESSIONS) - 1)
        return mean + self.level + self.residual, spread if spread > floor else floor

    def expected_score(self, session_number: int) -> float:
        """The expected score of `predict`, without moving the state to that session."""
        if session_number <= self.session_number:
            return self.prior.mean(self.session_number) + self.level + self.residual
        return self.prior.mean(session_number) + self.level + self._carry_over(session_number) * self.residual

    def _carry_over(self, session_number: int) -> float:
        """The share of the residual that is left at a later session."""
        gap, phi = session_number - self.session_number, self.prior.autocorrelation
        return (phi if gap == 1 else phi ** min(gap, _LONGEST_GAP)) if self.session_number else 0.0

    def _advance(self, session_number: int) -> None:
        """Let the residual fade up to a later session."""
        kept = self._carry_over(session_number)
        self.session_number = session_number
        within = self.prior.within_variance
        self.residual *= kept
        self.covariance *= kept
        self.residual_variance = within + kept * kept * (self.residual_variance - within)

    def update(self, score: float, expected: float, spread: float, weight: float, ceiling_from: float = 1.0) -> None:
        """Use a score whose prediction was `expected` and `spread`; `weight` 0-1: how surely it is unstrained.

        A score at the ceiling says "at least `ceiling_from`".
        """
        surprise, information = score - expected, 1.0
        if score >= CEILING:
            surprise, information = _truncated_moments((ceiling_from - expected) / spread)
            surprise *= spread
        variance = spread * spread
        on_level = (self.level_variance + self.covariance) / variance
        on_residual = (self.covariance + self.residual_variance) / variance
        self.level += weight * on_level * surprise
        self.residual += weight * on_residual * surprise
        removed = weight * information * variance
        self.level_variance -= on_level * on_level * removed
        self.covariance -= on_level * on_residual * removed
        self.residual_variance -= on_residual * on_residual * removed
        self.count += weight

    def widen(self) -> None:
        """The level may have changed for good: from now on it is at least as uncertain as in a new case."""
        self.level_variance = max(self.level_variance, self.prior.between_variance)


def _truncated_moments(start: float) -> tuple[float, float]:
    """For a standard normal known to be above `start`: its mean, and the share by which its variance is smaller."""
    is_far = start > _FAR
    mean = start + 1 / start if is_far else exp(-0.5 * start * start) / (_ROOT_TAU * normal_sf(start))
    return mean, min(max(mean * (mean - start), 0.0), 1.0)
