"""Family: clients near the top hardly move, clients in the middle of the scale swing widely.

In: a standing and a fall. Out: four answers.
Never: the same spread at every level. The same fall shows less near the top.

The total is a draw from a beta law whose mean is the standing and whose precision is the practice's, so its variance
is mean (1 - mean) / (1 + precision). Items are beta draws around it. A form is perfect if it rounds to the top.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, between, between_in_proportion
from benchmarks.families.laws.observation import TENTH_OF_A_POINT, in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate

#: Precision of a day around the standing, and of an item around the day.
DAYS, ITEMS = (10.0, 60.0), (20.0, 200.0)
#: The share of the range at either end that rounds to it, for clients in a hurry.
HURRY = (0.0, 0.04)
INSIDE = 0.01


@dataclass(frozen=True, slots=True)
class SpreadWithDistance:
    """Beta days, beta items."""

    days: float
    items: float
    hurry: float
    clients_sd: float

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        middle = np.clip(standing, INSIDE, 1 - INSIDE)
        day = np.clip(chance.beta(middle * self.days, (1 - middle) * self.days), INSIDE, 1 - INSIDE)
        variance = middle * (1 - middle)
        own_sd = np.sqrt(person.spread**2 + variance / (1 + self.days))[:, None]
        ways = self.clients_sd * np.sqrt(variance / 0.1)[:, None] * person.item_ways
        means = day[:, None] + ways - fall * own_sd / person.spread
        means = np.clip(means, INSIDE, 1 - INSIDE)
        answers = chance.beta(means * self.items, (1 - means) * self.items)
        return in_steps(np.where(answers > 1 - self.hurry, 1.0, answers), TENTH_OF_A_POINT)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    law = SpreadWithDistance(
        days=between_in_proportion(chance, *DAYS),
        items=between_in_proportion(chance, *ITEMS),
        hurry=between(chance, *HURRY),
        clients_sd=between(chance, 0.01, 0.06),
    )
    people = climate(chance, mean=(0.80, 0.96), within=(0.02, 0.05))
    return ordinary_laws(chance, law, people=people)


FAMILY = family("spread-with-distance", "spread", laws)
