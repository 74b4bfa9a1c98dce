"""How strongly a case points to a rupture: the odds of strain, updated session by session from many weak signs.

In: for each sign the likelihood ratios "strained : not strained". Out: the evidence in nats, and what each sign adds.
Never: open a flag (the detectors and `pipeline.core.case.flags_of_a_case` do); look ahead.

Formula: two kinds of strain are followed, moving against (confrontation) and moving away (withdrawal). With each
session held R <- STAY * R + share, then each sign multiplies: R <- R * ratio. This is the Shiryaev-Roberts statistic of
quickest detection (Shiryaev 1963, Roberts 1966), with a leak because ruptures end. Evidence = ln(R_against + R_away);
the odds of strain are ONSET * (R_against + R_away).
"""

from dataclasses import dataclass, field
from math import exp, log

# The figures below are working values: chosen on the simulator's practices (docs/benchmarks/detection.md), not
# estimated from clients.

#: Share of strained cases that are still strained at the next session.
STAY = 0.8
#: Share of sessions at which a strain begins.
ONSET = 0.03
#: In the first sessions there is little alliance yet that could rupture.
EARLY_SESSIONS, EARLY_SHARE = 2, 0.25
#: The shares of the two kinds among strains that begin.
AGAINST, AWAY = 0.35, 0.65
#: By how much a strain lowers the score, in within-case SDs: for moving against, and for moving away, which shows less.
DEPTHS_AGAINST = (1.5, 2.5, 4.0)
DEPTHS_AWAY = (0.6, 1.0, 1.6)
_A1, _A2, _A3 = DEPTHS_AGAINST
_W1, _W2, _W3 = DEPTHS_AWAY
#: The odds stay inside these, so that their logarithm exists and one sign can still turn them.
_LEAST, _MOST = 1e-9, 1e12
#: A score further below than this many SDs counts as this far below: exp() of more would overflow.
_FURTHEST = -12.0
#: The smallest likelihood ratio of a score: its logarithm must exist.
_LEAST_RATIO = 1e-6

SIGNS = ("score", "earlier", "ingredient", "response_style", "missing", "therapist")
SCORE, EARLIER, INGREDIENT, RESPONSE_STYLE, MISSING, THERAPIST = range(6)


@dataclass(slots=True)
class RuptureEvidence:
    """The two odds (divided by ONSET) and what each sign has added, in nats, fading as the odds do."""

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
        signs[RESPONSE_STYLE] *= STAY
        signs[MISSING] *= STAY
        signs[THERAPIST] *= STAY

    def update(self, sign: int, against: float, away: float) -> None:
        """Multiply the odds by one sign's likelihood ratios."""
        new_against, new_away = self.against * against, self.away * away
        self.against = new_against = _MOST if new_against > _MOST else new_against if new_against > _LEAST else _LEAST
        self.away = new_away = _MOST if new_away > _MOST else new_away if new_away > _LEAST else _LEAST
        share = new_away / (new_against + new_away)
        self.signs[sign] += (1 - share) * log(against) + share * log(away)

    @property
    def nats(self) -> float:
        """The evidence of strain; about 0 to 1.4 when no sign points either way."""
        return log(max(self.against + self.away, _LEAST))

    @property
    def probability_unstrained(self) -> float:
        """Probability that the case is not strained."""
        return 1 / (1 + ONSET * (self.against + self.away))

    def reset(self) -> None:
        """An episode has ended: start again from nothing."""
        self.against = self.away = 0.0
        self.signs = [0.0] * 6


def score_ratios(deviation: float, unit: float) -> tuple[float, float]:
    """Strained : not strained for a score `deviation` SDs off, where one within-case SD is `unit` predictive SDs."""
    z = deviation if deviation > _FURTHEST else _FURTHEST
    a, b, c = _A1 * unit, _A2 * unit, _A3 * unit
    against = exp(-a * (z + 0.5 * a)) + exp(-b * (z + 0.5 * b)) + exp(-c * (z + 0.5 * c))
    a, b, c = _W1 * unit, _W2 * unit, _W3 * unit
    away = exp(-a * (z + 0.5 * a)) + exp(-b * (z + 0.5 * b)) + exp(-c * (z + 0.5 * c))
    return max(against / 3, _LEAST_RATIO), max(away / 3, _LEAST_RATIO)
