"""Section 4.1: what is expected of a rater.

In: session numbers and scores, shares of the range. Out: the score expected next, and how far it may be off.
Never: a number of the pipeline's own; each is copied from docs/rules.md.
"""

from dataclasses import dataclass
from math import erfc, exp, pi, sqrt

BETWEEN_VARIANCE = (3.6 / 40) ** 2 + (1.0 / 40) ** 2
WITHIN_VARIANCE = (2.3 / 40) ** 2
AUTOCORRELATION = 0.3
CEILING = 1 - 1e-9


@dataclass(frozen=True)
class Resolution:
    """How finely an instrument tells one alliance from another; without arguments one in hundredths."""

    #: The standard error (`SE`), or 0.03 if it is not known.
    error: float = 0.03
    #: The variance that rounding adds.
    rounding: float = 0.0
    #: A true score at or above it gives the best possible answers.
    ceiling_from: float = 1.0


FINE = Resolution()


@dataclass(frozen=True)
class Expected:
    """A score foreseen; it may exceed 1. The edge is that of the instrument by which it was foreseen."""

    score: float
    sd: float
    ceiling_from: float = 1.0

    def deviation(self, score: float) -> float:
        """How many standard deviations a score is above the expected one."""
        return (score - self.score) / self.sd

    def deviation_shown(self, score: float) -> float:
        """The same, but a score at the ceiling says no more than that the edge was reached."""
        return self.deviation(self.ceiling_from if score >= CEILING else score)

    @property
    def wavering(self) -> float:
        """The usual wavering within a case, in standard deviations (`e`)."""
        return sqrt(WITHIN_VARIANCE) / self.sd


@dataclass
class Level:
    """What is known of a rater; the letters are those of docs/rules.md."""

    a: float = 0.0
    b: float = 0.0
    p: float = BETWEEN_VARIANCE
    q: float = 0.0
    r: float = WITHIN_VARIANCE
    t: int = 0
    count: float = 0.0

    def predict(self, s: int, by: Resolution = FINE) -> Expected:
        """The score expected at session `s`, by an instrument that resolves so finely."""
        if s > self.t:
            k = 0.0 if self.t == 0 else AUTOCORRELATION ** min(s - self.t, 60)
            self.b *= k
            self.q *= k
            self.r = WITHIN_VARIANCE + k * k * (self.r - WITHIN_VARIANCE)
            self.t = s
        variance = self.p + 2 * self.q + self.r + by.rounding
        return Expected(usual(self.t) + self.a + self.b, max(sqrt(max(variance, 0.0)), by.error), by.ceiling_from)

    def widen(self) -> None:
        """The level may be another one now."""
        self.p = max(self.p, BETWEEN_VARIANCE)

    def update(self, y: float, weight: float, expected: Expected) -> None:
        """A score; `expected` is what was predicted of it."""
        sd = expected.sd
        d, g = y - expected.score, 1.0
        if y >= CEILING:
            z = expected.deviation_shown(y)
            pull = density(z) / upper_tail(z) if z <= 6 else z + 1 / z
            d, g = pull * sd, within(0, pull * (pull - z), 1)
        of_level, of_residual = (self.p + self.q) / sd**2, (self.q + self.r) / sd**2
        self.a += weight * of_level * d
        self.b += weight * of_residual * d
        self.p -= weight * g * of_level**2 * sd**2
        self.q -= weight * g * of_level * of_residual * sd**2
        self.r -= weight * g * of_residual**2 * sd**2
        self.count += weight

    @property
    def level(self) -> float:
        """The level at the session reached, without the residual."""
        return usual(self.t) + self.a


def usual(session_number: int) -> float:
    """The mean of all cases at a session number (`m`)."""
    return 37.62 / 40 + 0.12 / 40 * (min(session_number, 10) - 1)


def density(z: float) -> float:
    """The normal density."""
    return exp(-z * z / 2) / sqrt(2 * pi)


def upper_tail(z: float) -> float:
    """The normal probability above z (`Q`)."""
    return erfc(z / sqrt(2)) / 2


def within(low: float, value: float, high: float) -> float:
    """`value` held within `low` and `high`."""
    return max(low, min(value, high))
