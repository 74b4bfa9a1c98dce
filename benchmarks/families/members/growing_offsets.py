"""Family: the lower the total, the further apart the items, but less than in proportion.

In: a standing. Out: four answers.
Never: a fixed share of the shortfall, or a fixed noise; the law is between the two, as in recorded answers.

Item i = total + c s^g (client's way + the day's offset); s is the shortfall of the total, at least a little; g is
between 0.25 and 0.75.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, between
from benchmarks.families.laws.observation import TENTH_OF_A_POINT, in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person

EXPONENT, SIZE = (0.25, 0.75), (0.12, 0.40)
#: The part of the offsets' variance that is the client's own.
OWN_PART = (0.2, 0.7)
LEAST_SHORTFALL = 0.01


@dataclass(frozen=True, slots=True)
class GrowingOffsets:
    """Offsets with an SD that is a power of the shortfall."""

    exponent: float
    size: float
    own_part: float

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        own = self.own_part**0.5 * person.item_ways
        offsets = own + (1 - self.own_part) ** 0.5 * chance.standard_normal((len(standing), 4))
        total = standing - fall.mean(axis=1)
        reach = self.size * np.maximum(1 - total, LEAST_SHORTFALL) ** self.exponent
        return in_steps(standing[:, None] - fall + reach[:, None] * offsets, TENTH_OF_A_POINT)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    law = GrowingOffsets(between(chance, *EXPONENT), between(chance, *SIZE), between(chance, *OWN_PART))
    return ordinary_laws(chance, law)


FAMILY = family("growing-offsets", "shares", laws)
