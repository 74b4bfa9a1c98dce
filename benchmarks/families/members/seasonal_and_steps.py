"""Family: lasting steps, trends and seasons that have nothing to do with a rupture.

In: a client. Out: the standing at each session.
Never: a level that returns by itself, except with the season.

Some clients rise or fall along a line. Some take a step up or down that lasts (a new phase of the work). All have a
wave through the year, whose phase depends on when they began.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, autoregressive, between
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate
from benchmarks.families.members.item_laws import any_items

#: Chance of a step at a session; its SD and the season's height in own SDs; SD of a trend, in own SDs a session.
STEPS, STEP_SD, SEASON, TREND_SD = (0.01, 0.05), (0.8, 2.0), (0.0, 0.6), (0.0, 0.08)
SESSIONS_A_YEAR = 45
MOST_TREND = 2.0


@dataclass(frozen=True, slots=True)
class SeasonalAndSteps:
    """Steps, a trend, a season, and AR(1) days."""

    steps: float
    step_sd: float
    season: float
    trend_sd: float
    lag: float

    def __call__(self, person: Person, sessions: int, chance: Chance) -> Array:
        days = autoregressive(chance.standard_normal(sessions), self.lag)
        has_step = chance.random(sessions) < self.steps
        stepped = np.cumsum(has_step * self.step_sd * chance.standard_normal(sessions))
        trend = self.trend_sd * float(chance.standard_normal()) * np.arange(sessions)
        began = SESSIONS_A_YEAR * float(chance.random())
        season = self.season * np.sin(2 * np.pi * (np.arange(sessions) + began) / SESSIONS_A_YEAR)
        course: Array = days + stepped + np.clip(trend, -MOST_TREND, MOST_TREND) + season
        return person.level + person.spread * course


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    people = climate(chance, within=(0.03, 0.10))
    course = SeasonalAndSteps(
        steps=between(chance, *STEPS),
        step_sd=between(chance, *STEP_SD),
        season=between(chance, *SEASON),
        trend_sd=between(chance, *TREND_SD),
        lag=people.lag,
    )
    return ordinary_laws(chance, any_items(chance, people.mean), people=people, standing=course)


FAMILY = family("seasonal-and-steps", "course", laws)
