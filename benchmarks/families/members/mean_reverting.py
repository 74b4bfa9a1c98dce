"""Family: the level itself wanders slowly and returns to the client's usual level; single days add little.

In: a client. Out: the standing at each session.
Never: a constant level.

Two AR(1) courses added up: a slow one (lag 0.8 to 0.95) with most of the variance, and days. A slow decline is usual
here and ends by itself.
"""

from dataclasses import dataclass

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, autoregressive, between
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate
from benchmarks.families.members.item_laws import any_items

SLOW_LAG, SLOW_PART, DAYS_LAG = (0.80, 0.95), (0.6, 0.9), (0.0, 0.3)


@dataclass(frozen=True, slots=True)
class MeanReverting:
    """A slow course and days."""

    slow_lag: float
    slow_part: float
    days_lag: float

    def __call__(self, person: Person, sessions: int, chance: Chance) -> Array:
        slow, days = chance.standard_normal((2, sessions))
        course: Array = self.slow_part**0.5 * autoregressive(slow, self.slow_lag)
        course += (1 - self.slow_part) ** 0.5 * autoregressive(days, self.days_lag)
        return person.level + person.spread * course


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    people = climate(chance, within=(0.05, 0.13))
    course = MeanReverting(between(chance, *SLOW_LAG), between(chance, *SLOW_PART), between(chance, *DAYS_LAG))
    return ordinary_laws(chance, any_items(chance, people.mean), people=people, standing=course)


FAMILY = family("mean-reverting", "course", laws)
