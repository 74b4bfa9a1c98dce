"""What habits and withdrawal change on a form.

In: the answers that a client would give, session by session. Out: the answers on the form.
Never: decide which forms are missing (`benchmarks.families.laws.nonresponse` does).

A form is *stiff* if all four answers are alike, or if they are the same as on the form before.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.families.laws.chance import Array, Chance, Flags, between
from benchmarks.families.laws.observation import in_steps
from benchmarks.families.laws.people import Person
from benchmarks.families.laws.planting import Strain


class HabitLaw(Protocol):
    """How a client's habits change the answers of all sessions, ruptured or not."""

    def __call__(self, answers: Array, person: Person, step: float, chance: Chance) -> Array:
        """(sessions, 4) in, (sessions, 4) out."""


@dataclass(frozen=True, slots=True)
class StiffHabits:
    """Each client hands in a share of stiff forms; a few clients have most of them."""

    share: float
    #: The greater this is, the fewer clients share the stiff forms.
    inequality: float = 3.0

    def __call__(self, answers: Array, person: Person, step: float, chance: Chance) -> Array:
        own = min(self.share * (self.inequality + 1) * person.stiffness**self.inequality, 0.95)
        is_stiff = chance.random(len(answers)) < own
        is_copy = chance.random(len(answers)) < 0.5
        return stiffened(answers, is_stiff, is_copy, step)


def stiff_habits(chance: Chance, most: float = 0.10) -> StiffHabits:
    """One practice's habits."""
    return StiffHabits(between(chance, 0.0, most), between(chance, 2.0, 5.0))


def stiffened(answers: Array, is_stiff: Flags, is_copy: Flags, step: float) -> Array:
    """Make forms stiff: repeat the form before if `is_copy`, otherwise give the same answer four times."""
    changed = answers.copy()
    for session in np.flatnonzero(is_stiff):
        if is_copy[session] and session:
            changed[session] = changed[session - 1]
        else:
            changed[session] = in_steps(answers[session].mean(keepdims=True), step)
    return changed


def withdrawn(answers: Array, strain: Strain, step: float, chance: Chance) -> Array:
    """Forms in a withdrawal: some flat at the client's level, some perfect, some a copy of the form before."""
    draws = chance.random((len(answers), 2))
    is_flat = strain.withdrawn & (draws[:, 0] < strain.flat_share)
    changed = stiffened(answers, is_flat, draws[:, 1] < 0.3, step)
    changed[is_flat & (draws[:, 1] > 0.7)] = 1.0
    return changed


def filled_in_reversed(answers: Array, share: float, chance: Chance) -> Array:
    """A few forms are filled in from right to left."""
    is_inverted = chance.random(len(answers)) < share
    return np.where(is_inverted[:, None], np.round(1 - answers, 9), answers)
