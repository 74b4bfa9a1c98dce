"""Family: one general factor with unequal loadings, slow specific factors, and a scale whose ends are hard to reach.

In: a standing. Out: four answers.
Never: four items that move alike. A fall shows most where the loading is great.

Item i = squeeze(base + loading_i (standing - base) + specific_i), specific_i AR(1) from session to session.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, autoregressive, between
from benchmarks.families.laws.observation import TENTH_OF_A_POINT, in_steps, squeezed
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate

LOADINGS, SPECIFIC_SD, SPECIFIC_LAG = (0.3, 1.5), (0.08, 0.22), (0.2, 0.8)
CLIENTS_SD = (0.02, 0.10)
#: How much of the squeezed scale's upper end a client reaches when the latent standing is 1.
STRETCH = (0.9, 1.3)


@dataclass(frozen=True, slots=True)
class GeneralFactor:
    """Unequal loadings, specific factors with a memory."""

    base: float
    loadings: Array
    specific_sd: float
    specific_lag: float
    clients_sd: float
    stretch: float

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        common = self.base + self.loadings * (standing[:, None] - fall - self.base)
        specific = self.specific_sd * autoregressive(chance.standard_normal((len(standing), 4)), self.specific_lag)
        latent = common + specific + self.clients_sd * person.item_ways
        return in_steps(squeezed(0.5 + self.stretch * (latent - 0.5)), TENTH_OF_A_POINT)


def general_factor(chance: Chance, base: float) -> GeneralFactor:
    """One practice's item law, for clients around this level."""
    loadings = chance.uniform(*LOADINGS, 4)
    return GeneralFactor(
        base=base,
        loadings=np.asarray(loadings / loadings.mean()),
        specific_sd=between(chance, *SPECIFIC_SD),
        specific_lag=between(chance, *SPECIFIC_LAG),
        clients_sd=between(chance, *CLIENTS_SD),
        stretch=between(chance, *STRETCH),
    )


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    people = climate(chance, mean=(0.84, 1.05), between_clients=(0.10, 0.25), within=(0.06, 0.16))
    return ordinary_laws(chance, general_factor(chance, people.mean), people=people)


FAMILY = family("general-factor", "factors", laws)
