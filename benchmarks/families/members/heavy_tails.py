"""Family: every client has single very bad days, and some clients swing five times as far as others.

In: a client. Out: the standing at each session.
Never: normally distributed days.

Days are Student t with few degrees of freedom, and reach further down than up. The clients' own spreads are log-normal
with a wide range. One deep fall is no news here, least of all for clients who swing.
"""

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, autoregressive, between
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate
from benchmarks.families.members.item_laws import any_items

FREEDOM, LEANING, UNEQUAL = (2.5, 5.0), (1.0, 1.6), (0.4, 0.8)
#: Days are held within this many own SDs.
FARTHEST = 12.0


@dataclass(frozen=True, slots=True)
class HeavyTails:
    """Student-t days around a constant level, longer below than above."""

    freedom: float
    leaning: float
    lag: float

    def __call__(self, person: Person, sessions: int, chance: Chance) -> Array:
        usual = autoregressive(chance.standard_normal(sessions), self.lag)
        scale = np.sqrt(self.freedom / chance.chisquare(self.freedom, sessions))
        days = np.clip(usual * scale / (self.freedom / (self.freedom - 2)) ** 0.5, -FARTHEST, FARTHEST)
        leaning: Array = np.where(days < 0, days * self.leaning, days / self.leaning)
        return person.level + person.spread * leaning


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    people = replace(climate(chance, within=(0.03, 0.10)), unequal=between(chance, *UNEQUAL))
    course = HeavyTails(between(chance, *FREEDOM), between(chance, *LEANING), people.lag)
    return ordinary_laws(chance, any_items(chance, people.mean), people=people, standing=course)


FAMILY = family("heavy-tails", "spread", laws)
