"""Family: clients have good spells and bad spells, and change between them from one session to the next.

In: a client. Out: the standing at each session.
Never: a bad spell that has to do with the alliance.

A two-state Markov chain: a bad spell is one to three of the client's own SDs below the good level and lasts a few
sessions. Clients differ in how often bad spells come.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, between
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate
from benchmarks.families.members.item_laws import any_items

WORSENS, RECOVERS, DEPTH = (0.03, 0.12), (0.3, 0.7), (1.0, 3.0)
#: The part of the client's own spread that is left for single days.
DAYS = (0.4, 0.8)


@dataclass(frozen=True, slots=True)
class GoodAndBadSpells:
    """Two levels."""

    worsens: float
    recovers: float
    depth: float
    days: float

    def __call__(self, person: Person, sessions: int, chance: Chance) -> Array:
        draws, days = chance.random(sessions), chance.standard_normal(sessions)
        worsens = min(self.worsens * 2 * float(chance.random()), 0.9)
        is_bad = np.zeros(sessions)
        state = bool(draws[0] < worsens)
        for session in range(sessions):
            is_bad[session] = state
            state = bool(draws[session] < (1 - self.recovers if state else worsens))
        return person.level + person.spread * (self.days * days - self.depth * is_bad)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    people = climate(chance, mean=(0.84, 1.04), within=(0.04, 0.10))
    course = GoodAndBadSpells(
        worsens=between(chance, *WORSENS),
        recovers=between(chance, *RECOVERS),
        depth=between(chance, *DEPTH),
        days=between(chance, *DAYS),
    )
    return ordinary_laws(chance, any_items(chance, people.mean), people=people, standing=course)


FAMILY = family("good-and-bad-spells", "course", laws)
