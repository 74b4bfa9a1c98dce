"""Family: clients of one practice answer by four different laws.

In: a standing. Out: four answers.
Never: one item law that holds for the whole practice.

One kind of client shares out a shortfall, one adds noise, one ticks the top unless troubled, one rounds to whole
points. What is learned from the practice as a whole is right for none of them.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import ItemLaw, Laws, family
from benchmarks.families.laws.chance import Array, Chance, between
from benchmarks.families.laws.observation import TENTH_OF_A_POINT, in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate
from benchmarks.families.members.additive_noise import additive_noise
from benchmarks.families.members.proportional_shortfall import proportional_shortfall
from benchmarks.families.members.top_unless_troubled import TopUnlessTroubled

WHOLE_POINT = 0.1


@dataclass(frozen=True, slots=True)
class MixedPeople:
    """A law for each kind of client, and the cumulative shares of the kinds."""

    kinds: tuple[ItemLaw, ...]
    up_to: Array

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        # Decided by digits of the last item's way, so that a person keeps the same kind at every session.
        place = float(np.mod(person.item_ways[3] * 1000, 1))
        kind = min(int(np.searchsorted(self.up_to, place)), len(self.kinds) - 1)
        return self.kinds[kind](standing, fall, person, chance)


@dataclass(frozen=True, slots=True)
class WholePoints:
    """Another law's answers, rounded to whole points of ten."""

    exact: ItemLaw

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        return in_steps(self.exact(standing, fall, person, chance), WHOLE_POINT)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    hurdle = TopUnlessTroubled(
        hurdle=between(chance, 0.80, 0.92),
        sharpness=between(chance, 0.02, 0.08),
        clients_sd=between(chance, 0.02, 0.10),
        noise=between(chance, 0.05, 0.12),
        critical=between(chance, 0.0, 0.06),
        step=TENTH_OF_A_POINT,
    )
    kinds = (proportional_shortfall(chance), additive_noise(chance), hurdle, WholePoints(additive_noise(chance)))
    law = MixedPeople(kinds, np.cumsum(chance.dirichlet([2.0] * len(kinds))))
    people = climate(chance, within=(0.03, 0.12))
    return ordinary_laws(chance, law, people=people)


FAMILY = family("mixed-people", "people", laws)
