"""Who answers: a client's usual level, own spread, way with the four items, and stiffness.

In: a climate (how the clients of a practice differ). Out: a `Person`.
Never: a session.

Levels and spreads are latent, in shares of the instrument's range. They may be above 1, because the ceiling is applied
to the answer. The ranges are those that published and recorded practices span.
"""

from dataclasses import dataclass
from math import exp

from benchmarks.families.laws.chance import Array, Chance, between

Range = tuple[float, float]

MEAN: Range = (0.80, 1.02)
BETWEEN: Range = (0.05, 0.18)
WITHIN: Range = (0.03, 0.13)
LAG: Range = (0.0, 0.7)
#: SD of the logarithm of a client's own spread.
UNEQUAL: Range = (0.0, 0.3)
#: The part of the variance between clients that is between therapists.
THERAPISTS_PART: Range = (0.0, 0.12)


@dataclass(frozen=True, slots=True)
class Climate:
    """How the clients of one practice answer and differ."""

    mean: float
    between: float
    within: float
    lag: float
    unequal: float
    therapists_part: float


@dataclass(frozen=True, slots=True)
class Person:
    """One client."""

    level: float
    spread: float
    #: Four standard normals: the client's own way with each item.
    item_ways: Array
    #: 0-1: the client's rank in the practice, from the least stiff to the stiffest.
    stiffness: float


def climate(chance: Chance, mean: Range = MEAN, between_clients: Range = BETWEEN, within: Range = WITHIN) -> Climate:
    """One practice's climate; each figure is drawn from its range."""
    return Climate(
        mean=between(chance, *mean),
        between=between(chance, *between_clients),
        within=between(chance, *within),
        lag=between(chance, *LAG),
        unequal=between(chance, *UNEQUAL),
        therapists_part=between(chance, *THERAPISTS_PART),
    )


def person(people: Climate, therapist: float, chance: Chance) -> Person:
    """One client of a therapist whose effect on levels is `therapist`, a standard normal."""
    part = people.therapists_part
    distance = part**0.5 * therapist + (1 - part) ** 0.5 * float(chance.standard_normal())
    return Person(
        level=people.mean + people.between * distance,
        spread=people.within * exp(people.unequal * float(chance.standard_normal())),
        item_ways=chance.standard_normal(4),
        stiffness=float(chance.random()),
    )
