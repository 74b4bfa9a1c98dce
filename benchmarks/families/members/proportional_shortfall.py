"""Family: what the total lacks to be perfect is shared out among the four items.

In: a standing. Out: four answers.
Never: an uneven form near the ceiling; unevenness grows in proportion to the shortfall.

The law of the project's own simulator, with unequal items and any unevenness: total = min(1, standing); item i lacks
4 (1 - total) w_i, where log w_i = the item's usual part + the client's way + the day's.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, between
from benchmarks.families.laws.observation import TENTH_OF_A_POINT, in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person

#: SDs of an item's log share: between items of the practice, between its clients, between a client's days.
ITEMS_SD, CLIENTS_SD, DAYS_SD = (0.0, 0.4), (0.1, 0.6), (0.2, 1.2)
#: The weight of an item that a fall spares, of one that has all of it.
SPARED = 0.02


@dataclass(frozen=True, slots=True)
class ProportionalShortfall:
    """Shares of the shortfall are log-normal."""

    places: Array
    clients_sd: float
    days_sd: float
    step: float = TENTH_OF_A_POINT

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        log_shares = self.places + self.clients_sd * person.item_ways
        log_shares = log_shares + self.days_sd * chance.standard_normal((len(standing), 4))
        mean_fall = fall.mean(axis=1, keepdims=True)
        focus = (fall + SPARED * (mean_fall + 0.01)) / (mean_fall * (1 + SPARED) + SPARED * 0.01)
        shares = np.exp(log_shares) * np.where(mean_fall > 0, focus, 1.0)
        shares /= shares.mean(axis=1, keepdims=True)
        shortfall = np.maximum(0.0, 1 - standing + mean_fall[:, 0])
        return in_steps(1 - shortfall[:, None] * shares, self.step)


def proportional_shortfall(chance: Chance) -> ProportionalShortfall:
    """One practice's item law."""
    return ProportionalShortfall(
        places=between(chance, *ITEMS_SD) * chance.standard_normal(4),
        clients_sd=between(chance, *CLIENTS_SD),
        days_sd=between(chance, *DAYS_SD),
    )


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    return ordinary_laws(chance, proportional_shortfall(chance))


FAMILY = family("proportional-shortfall", "shares", laws)
