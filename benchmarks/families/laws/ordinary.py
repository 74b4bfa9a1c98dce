"""The laws that a family uses where it has no law of its own.

In: the laws that are special to the family. Out: complete `Laws`; the rest is drawn from the usual ranges.
Never: an item law.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.families.laws.assembly import ItemLaw, Laws, PersonLaw, StandingLaw
from benchmarks.families.laws.caseload import caseload
from benchmarks.families.laws.chance import Array, Chance, autoregressive, between
from benchmarks.families.laws.forms import HabitLaw, stiff_habits
from benchmarks.families.laws.nonresponse import Nonresponse, nonresponse
from benchmarks.families.laws.observation import TENTH_OF_A_POINT
from benchmarks.families.laws.people import Climate, Person, climate, person
from benchmarks.families.laws.planting import planting
from benchmarks.families.laws.second_rater import second_rater

INVERTED = (0.0, 0.02)
#: Growth at each of the first ten sessions, in shares of the range.
GROWTH, GROWTH_SESSIONS = (-0.001, 0.005), 10


@dataclass(frozen=True, slots=True)
class SteadyLevel:
    """A constant level, a little growth in the first ten sessions, AR(1) days."""

    lag: float
    growth: float

    def __call__(self, person: Person, sessions: int, chance: Chance) -> Array:
        grown = self.growth * np.minimum(np.arange(sessions), GROWTH_SESSIONS)
        return person.level + grown + person.spread * autoregressive(chance.standard_normal(sessions), self.lag)


def ordinary_laws(
    chance: Chance,
    items: ItemLaw,
    *,
    answer_step: float = TENTH_OF_A_POINT,
    people: Climate | None = None,
    who: PersonLaw | None = None,
    standing: StandingLaw | None = None,
    habits: HabitLaw | None = None,
    gaps: Nonresponse | None = None,
) -> Laws:
    """The laws of one practice; those that are not given are drawn."""
    usual = climate(chance)
    people = people or usual
    return Laws(
        climate=people,
        who=who or partial(person, people),
        caseload=caseload(chance),
        standing=standing or SteadyLevel(people.lag, between(chance, *GROWTH)),
        items=items,
        answer_step=answer_step,
        habits=habits or stiff_habits(chance),
        inverted_share=between(chance, *INVERTED),
        nonresponse=gaps or nonresponse(chance),
        second_rater=second_rater(chance),
        planting=planting(chance),
    )
