"""Family: five or seven steps to tick; each item has its own thresholds (graded response model, Samejima 1969).

In: a standing. Out: four answers in steps of a quarter or a sixth.
Never: a value between two steps.

What the client feels about an item is the standing plus logistic noise. The step is the number of thresholds below it.
Items differ in their noise and in how easily the top is reached.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, between
from benchmarks.families.laws.forms import stiff_habits
from benchmarks.families.laws.observation import in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate

STEPS = (5, 7)
NOISE, CLIENTS_SD = (0.05, 0.16), (0.05, 0.14)
#: The highest threshold, and how far items differ in it.
TOP, TOP_DIFFERS = (0.84, 0.98), (0.0, 0.05)


@dataclass(frozen=True, slots=True)
class GradedResponse:
    """Ordered thresholds."""

    #: (4, steps - 1), rising.
    thresholds: Array
    #: For each item.
    noise: Array
    clients_sd: float

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        feeling = standing[:, None] - fall + self.clients_sd * person.item_ways
        feeling = feeling + self.noise * chance.logistic(0, np.sqrt(3) / np.pi, (len(standing), 4))
        ticked = (feeling[:, :, None] > self.thresholds).sum(axis=2)
        most = self.thresholds.shape[1]
        return in_steps(ticked / most, 1 / most)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    steps = int(chance.choice(STEPS))
    top = between(chance, *TOP) + between(chance, *TOP_DIFFERS) * chance.standard_normal(4)
    evenly = np.linspace(0.5 / steps, 1.0, steps - 1)
    law = GradedResponse(
        thresholds=top[:, None] * evenly,
        noise=between(chance, *NOISE) * np.exp(0.3 * chance.standard_normal(4)),
        clients_sd=between(chance, *CLIENTS_SD),
    )
    people = climate(chance, between_clients=(0.10, 0.20), within=(0.06, 0.14))
    return ordinary_laws(
        chance, law, answer_step=1 / (steps - 1), people=people, habits=stiff_habits(chance, most=0.03)
    )


FAMILY = family("graded-response", "steps", laws)
