"""Family: each item is the standing, plus the client's way with it, plus noise; each is cut off at the ceiling.

In: a standing. Out: four answers.
Never: an unevenness that depends on the shortfall, except for what the ceiling hides.
"""

from dataclasses import dataclass

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, between
from benchmarks.families.laws.observation import TENTH_OF_A_POINT, in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person

#: SDs, in shares of the range: between items of the practice, between its clients, between a client's days.
ITEMS_SD, CLIENTS_SD, DAYS_SD = (0.0, 0.03), (0.01, 0.08), (0.03, 0.16)


@dataclass(frozen=True, slots=True)
class AdditiveNoise:
    """Normal offsets of constant size."""

    places: Array
    clients_sd: float
    days_sd: float
    step: float = TENTH_OF_A_POINT

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        offsets = self.places + self.clients_sd * person.item_ways
        noise = self.days_sd * chance.standard_normal((len(standing), 4))
        return in_steps(standing[:, None] - fall + offsets + noise, self.step)


def additive_noise(chance: Chance) -> AdditiveNoise:
    """One practice's item law."""
    return AdditiveNoise(
        places=between(chance, *ITEMS_SD) * chance.standard_normal(4),
        clients_sd=between(chance, *CLIENTS_SD),
        days_sd=between(chance, *DAYS_SD),
    )


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    return ordinary_laws(chance, additive_noise(chance))


FAMILY = family("additive-noise", "additive", laws)
