"""Family: four sliders that have little to do with each other; two answers are rarely alike, a form is rarely perfect.

In: a standing. Out: four answers in hundredths.
Never: a form that is flat by chance.

Each item has its own level and its own days; the common part of both is small. The total moves little. What a rupture
does to two items is the larger sign.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, autoregressive, between
from benchmarks.families.laws.forms import StiffHabits
from benchmarks.families.laws.observation import TENTH_OF_A_POINT, in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate

OWN_LEVEL_SD, OWN_DAY_SD, OWN_LAG = (0.06, 0.14), (0.06, 0.16), (0.0, 0.6)
#: A slider's ends are soft: values above this bend towards 1 and hardly reach it.
SOFT_FROM = (0.80, 0.92)
STIFF = (0.0, 0.02)


@dataclass(frozen=True, slots=True)
class IndependentItems:
    """Four courses with a small common part."""

    level_sd: float
    day_sd: float
    lag: float
    soft_from: float

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        days = self.day_sd * autoregressive(chance.standard_normal((len(standing), 4)), self.lag)
        items = standing[:, None] - fall + self.level_sd * person.item_ways + days
        return in_steps(self._bent(items), TENTH_OF_A_POINT)

    def _bent(self, values: Array) -> Array:
        room = 1 - self.soft_from
        over = np.maximum(values - self.soft_from, 0.0)
        return np.where(over > 0, 1 - room * np.exp(-over / room), values)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    law = IndependentItems(
        level_sd=between(chance, *OWN_LEVEL_SD),
        day_sd=between(chance, *OWN_DAY_SD),
        lag=between(chance, *OWN_LAG),
        soft_from=between(chance, *SOFT_FROM),
    )
    people = climate(chance, mean=(0.80, 0.98), between_clients=(0.05, 0.14), within=(0.03, 0.09))
    habits = StiffHabits(between(chance, *STIFF))
    return ordinary_laws(chance, law, people=people, habits=habits)


FAMILY = family("independent-items", "factors", laws)
