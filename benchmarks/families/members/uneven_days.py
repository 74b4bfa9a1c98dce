"""Family: most forms are nearly even, some are very uneven, and nothing is wrong on those days.

In: a standing. Out: four answers.
Never: an unevenness that says anything about a rupture.

Item noise is a mixture of scales: each form draws its own from a gamma law, clients differ in their average, and on any
day one item alone may be misread (a wrong tap).
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, between
from benchmarks.families.laws.observation import TENTH_OF_A_POINT, in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person

NOISE, EVENNESS = (0.02, 0.08), (0.4, 2.0)
WRONG_TAPS, TAP_REACH = (0.0, 0.02), 0.4


@dataclass(frozen=True, slots=True)
class UnevenDays:
    """Noise whose size differs from form to form."""

    noise: float
    #: Shape of the gamma law: the smaller, the rarer and the more uneven the uneven days.
    evenness: float
    wrong_taps: float

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        sessions = len(standing)
        average = self.noise * float(np.exp(0.4 * person.item_ways[0]))
        scale = average * chance.gamma(self.evenness, 1 / self.evenness, (sessions, 1))
        answers = standing[:, None] - fall + scale * chance.standard_normal((sessions, 4))
        answers -= TAP_REACH * chance.random((sessions, 4)) * (chance.random((sessions, 4)) < self.wrong_taps)
        return in_steps(answers, TENTH_OF_A_POINT)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    law = UnevenDays(between(chance, *NOISE), between(chance, *EVENNESS), between(chance, *WRONG_TAPS))
    return ordinary_laws(chance, law)


FAMILY = family("uneven-days", "additive", laws)
