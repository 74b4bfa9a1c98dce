"""Family: clients drawn from tables of quantiles: levels, swings, days and item offsets.

In: random numbers. Out: a client, a course, four answers.
Never: a normal or log-normal law. The tables are skewed, with humps and gaps. They were invented to look like recorded
answers; no real person's answers are in them.

Dependence comes from ranks (a Gaussian copula): levels and swings are ordered against each other, a day's rank depends
on the rank of the day before, and an item's offset on the item's offset before. Each practice mixes two tables of
levels in its own shares.
"""

from dataclasses import dataclass
from math import erf

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, autoregressive, between
from benchmarks.families.laws.observation import TENTH_OF_A_POINT, in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person

RANKS = np.array([0.0, 0.02, 0.05, 0.10, 0.20, 0.35, 0.50, 0.65, 0.80, 0.90, 0.95, 0.98, 1.0])
#: Usual totals of clients: satisfied, mixed, and two camps.
LEVELS = (
    np.array([0.30, 0.48, 0.60, 0.71, 0.83, 0.90, 0.94, 0.97, 0.995, 1.02, 1.05, 1.07, 1.10]),
    np.array([0.22, 0.37, 0.46, 0.55, 0.67, 0.76, 0.81, 0.86, 0.91, 0.96, 0.99, 1.01, 1.04]),
    np.array([0.35, 0.50, 0.56, 0.61, 0.66, 0.70, 0.86, 0.95, 0.99, 1.01, 1.03, 1.05, 1.08]),
)
#: A client's own spread; a day in own spreads; an item's offset in own spreads.
SWINGS = np.array([0.008, 0.012, 0.017, 0.024, 0.035, 0.048, 0.060, 0.076, 0.105, 0.140, 0.175, 0.22, 0.30])
DAYS = np.array([-7.0, -3.2, -2.1, -1.35, -0.70, -0.20, 0.10, 0.36, 0.70, 1.05, 1.35, 1.70, 2.60])
OFFSETS = np.array([-4.5, -2.4, -1.6, -1.0, -0.5, -0.15, 0.0, 0.15, 0.45, 0.9, 1.3, 1.9, 3.0])

_ranks = np.vectorize(lambda normal: 0.5 * (1 + erf(normal / 2**0.5)), otypes=[float])


def from_table(table: Array, normals: Array) -> Array:
    """The values whose ranks in the table are those of the normals."""
    return np.asarray(np.interp(_ranks(normals), RANKS, table))


@dataclass(frozen=True, slots=True)
class TablePeople:
    """Clients from the tables."""

    first: int
    second: int
    first_share: float
    shift: float
    swing_scale: float
    therapists_part: float

    def __call__(self, therapist: float, chance: Chance) -> Person:
        normals, ways = chance.standard_normal(2), chance.standard_normal(4)
        height = self.therapists_part**0.5 * therapist + (1 - self.therapists_part) ** 0.5 * normals[:1]
        table = LEVELS[self.first if chance.random() < self.first_share else self.second]
        swing = from_table(SWINGS, 0.9 * normals[1:] - 0.44 * height)
        level = float(from_table(table, height)[0]) + self.shift
        return Person(level, self.swing_scale * float(swing[0]), ways, float(chance.random()))


@dataclass(frozen=True, slots=True)
class TableDays:
    """Days from the table, their ranks AR(1)."""

    lag: float

    def __call__(self, person: Person, sessions: int, chance: Chance) -> Array:
        days = from_table(DAYS, autoregressive(chance.standard_normal(sessions), self.lag))
        return person.level + person.spread * days


@dataclass(frozen=True, slots=True)
class TableItems:
    """Offsets from the table; the more of an offset is the client's own, the longer it stays."""

    size: float
    own_part: float
    lag: float

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        days = autoregressive(chance.standard_normal((len(standing), 4)), self.lag)
        ranks = self.own_part**0.5 * person.item_ways + (1 - self.own_part) ** 0.5 * days
        offsets = self.size * (0.02 + person.spread) * from_table(OFFSETS, ranks)
        return in_steps(standing[:, None] - fall + offsets, TENTH_OF_A_POINT)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    first, second = (int(number) for number in chance.permutation(len(LEVELS))[:2])
    who = TablePeople(
        first,
        second,
        first_share=between(chance, 0.5, 1.0),
        shift=between(chance, -0.02, 0.05),
        swing_scale=between(chance, 0.7, 1.6),
        therapists_part=between(chance, 0.0, 0.1),
    )
    items = TableItems(between(chance, 0.9, 2.2), between(chance, 0.2, 0.7), between(chance, 0.0, 0.5))
    return ordinary_laws(chance, items, standing=TableDays(between(chance, 0.0, 0.7)), who=who)


FAMILY = family("resampled-people", "people", laws)
