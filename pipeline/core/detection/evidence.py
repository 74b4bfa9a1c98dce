"""How much speaks for a rupture: the odds of strain, session by session, gathered from many weak signs.

In: for each sign the likelihood ratios "strained : as usual". Out: the evidence, in nats, and each sign's part in it.
Never: open a flag (that is the detectors' and the lifecycle's); look ahead.

Formula: two ways of being strained are followed, moving against (confrontation) and moving away (withdrawal). With each
session held R <- STAY * R + share, then each sign multiplies: R <- R * ratio (the Shiryaev-Roberts statistic of
quickest detection, with a leak because ruptures end). Evidence = ln(R_against + R_away); the odds of being strained are
ONSET * (R_against + R_away).
"""

from dataclasses import dataclass, field
from math import exp, log

#: Share of strained cases that are so still at the next session; share of sessions at which a strain begins.
STAY = 0.8
ONSET = 0.03
#: In the first sessions there is little yet that could rupture.
EARLY_SESSIONS, EARLY_SHARE = 2, 0.25
AGAINST, AWAY = 0.35, 0.65
#: Shifts of the score, in within-case SDs: for moving against; for moving away, where less of it shows.
DEPTHS_AGAINST = (1.5, 2.5, 4.0)
DEPTHS_AWAY = (0.6, 1.0, 1.6)
_A1, _A2, _A3 = DEPTHS_AGAINST
_W1, _W2, _W3 = DEPTHS_AWAY
_LEAST, _MOST = 1e-9, 1e12

SIGNS = ("score", "earlier", "ingredient", "form", "missing", "therapist")
SCORE, EARLIER, INGREDIENT, FORM, MISSING, THERAPIST = range(6)


@dataclass(slots=True)
class Strain:
    """The two odds (times 1/ONSET) and what each sign has added, in nats, fading as the odds do."""

    against: float = 0.0
    away: float = 0.0
    signs: list[float] = field(default_factory=lambda: [0.0] * 6)

    def pass_session(self, session_number: int) -> None:
        """One more session was held."""
        begins = EARLY_SHARE if session_number <= EARLY_SESSIONS else 1.0
        self.against = STAY * self.against + AGAINST * begins
        self.away = STAY * self.away + AWAY * begins
        signs = self.signs
        signs[EARLIER] = STAY * (signs[EARLIER] + signs[SCORE])
        signs[SCORE] = 0.0
        signs[INGREDIENT] *= STAY
        signs[FORM] *= STAY
        signs[MISSING] *= STAY
        signs[THERAPIST] *= STAY

    def weigh(self, sign: int, against: float, away: float) -> None:
        """Take one sign's likelihood ratios."""
        one, other = self.against * against, self.away * away
        self.against = one = _MOST if one > _MOST else one if one > _LEAST else _LEAST
        self.away = other = _MOST if other > _MOST else other if other > _LEAST else _LEAST
        share = other / (one + other)
        self.signs[sign] += (1 - share) * log(against) + share * log(away)

    @property
    def evidence(self) -> float:
        """Nats in favour of strain; about 0 to 1.4 when nothing speaks for or against it."""
        return log(max(self.against + self.away, _LEAST))

    @property
    def usual(self) -> float:
        """Probability that the case is as usual."""
        return 1 / (1 + ONSET * (self.against + self.away))

    def reset(self) -> None:
        """An episode has ended: begin anew."""
        self.against = self.away = 0.0
        self.signs = [0.0] * 6


def score_ratios(deviation: float, unit: float) -> tuple[float, float]:
    """Strained : usual for a score `deviation` SDs off, where a within-case SD is `unit` predictive SDs."""
    z = deviation if deviation > -12.0 else -12.0
    a, b, c = _A1 * unit, _A2 * unit, _A3 * unit
    against = exp(-a * (z + 0.5 * a)) + exp(-b * (z + 0.5 * b)) + exp(-c * (z + 0.5 * c))
    a, b, c = _W1 * unit, _W2 * unit, _W3 * unit
    away = exp(-a * (z + 0.5 * a)) + exp(-b * (z + 0.5 * b)) + exp(-c * (z + 0.5 * c))
    return max(against / 3, 1e-6), max(away / 3, 1e-6)
