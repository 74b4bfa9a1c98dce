"""Family: clients answer in styles: in tenths or whole points, with careless copies, always flat, always perfect.

In: the four answers that the client means. Out: the four that are written.
Never: a style that a rupture changes.

Each client has one step to round to, a share of careless copies of the last form, and a small chance to be a person
whose forms are nearly always flat or nearly always perfect.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, between
from benchmarks.families.laws.forms import stiffened
from benchmarks.families.laws.observation import in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate
from benchmarks.families.members.item_laws import any_items

HEAPS = (0.01, 0.05, 0.10, 0.20)
#: Few practices have many clients who answer in fifths.
HEAP_WEIGHTS = (2.0, 1.5, 1.0, 0.3)
COPIES, FLAT_PEOPLE, PERFECT_PEOPLE = (0.0, 0.10), (0.0, 0.04), (0.0, 0.10)
#: The share of flat or perfect forms, for flat or perfect people.
MOSTLY = 0.85


@dataclass(frozen=True, slots=True)
class ResponseStyles:
    """Rounding, copying, flat and perfect people."""

    heap_shares: Array
    copies: float
    flat_people: float
    perfect_people: float

    def __call__(self, answers: Array, person: Person, step: float, chance: Chance) -> Array:
        sessions = len(answers)
        heap = float(chance.choice(HEAPS, p=self.heap_shares))
        kind = float(chance.random())
        is_mostly = chance.random(sessions) < MOSTLY
        is_copy = chance.random(sessions) < self.copies * 3 * person.stiffness**2
        rounded = in_steps(answers, heap)
        if kind < self.flat_people:
            rounded = stiffened(rounded, is_mostly, np.zeros(sessions, dtype=bool), heap)
        elif kind < self.flat_people + self.perfect_people:
            rounded[is_mostly & (answers.mean(axis=1) > 0.6)] = 1.0
        return stiffened(rounded, is_copy, is_copy, step)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    people = climate(chance)
    styles = ResponseStyles(
        heap_shares=chance.dirichlet(HEAP_WEIGHTS),
        copies=between(chance, *COPIES),
        flat_people=between(chance, *FLAT_PEOPLE),
        perfect_people=between(chance, *PERFECT_PEOPLE),
    )
    return ordinary_laws(chance, any_items(chance, people.mean), people=people, habits=styles)


FAMILY = family("response-styles", "habits", laws)
