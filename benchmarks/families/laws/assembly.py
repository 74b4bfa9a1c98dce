"""Puts one practice together: people, courses, ruptures, forms, missing forms, second rater.

In: the laws of a family and a seed. Out: cases.
Never: a law of its own.

Each step of each case draws from its own random stream. The same practice without ruptures therefore differs in
nothing but the ruptures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.families.case import Case, Family
from benchmarks.families.laws.caseload import Caseload, Seat, seats
from benchmarks.families.laws.chance import Array, Chance, Flags, Purpose, of_family, stream
from benchmarks.families.laws.forms import HabitLaw, filled_in_reversed, withdrawn
from benchmarks.families.laws.nonresponse import Nonresponse
from benchmarks.families.laws.people import Climate, Person
from benchmarks.families.laws.planting import Planting, Strain, no_strain, plant
from benchmarks.families.laws.second_rater import SecondRater


class PersonLaw(Protocol):
    """Who the clients are."""

    def __call__(self, therapist: float, chance: Chance) -> Person:
        """One client of a therapist whose effect on levels is `therapist`, a standard normal."""


class StandingLaw(Protocol):
    """A client's level over time."""

    def __call__(self, person: Person, sessions: int, chance: Chance) -> Array:
        """(sessions,): the latent standing at each session without ruptures, in shares of the range."""


class ItemLaw(Protocol):
    """From a standing to four answers."""

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        """`standing` (sessions,) and `fall` (sessions, 4) in shares of the range; out: (sessions, 4)."""


@dataclass(frozen=True, slots=True)
class Laws:
    """All laws of one practice."""

    climate: Climate
    who: PersonLaw
    caseload: Caseload
    standing: StandingLaw
    items: ItemLaw
    answer_step: float
    habits: HabitLaw
    inverted_share: float
    nonresponse: Nonresponse
    second_rater: SecondRater
    planting: Planting


def family(name: str, group: str, laws: Callable[[Chance], Laws]) -> Family:
    """A family whose laws are drawn again for each seed."""

    def practice(seed: int, checkins: int, ruptures: bool = True) -> list[Case]:
        own = of_family(name, seed)
        return _practice(laws(stream(own, Purpose.PRACTICE)), own, checkins, ruptures)

    return Family(name, group, practice)


def _practice(laws: Laws, seed: int, checkins: int, ruptures: bool) -> list[Case]:
    """As many cases as give about that many client forms; without ruptures the same cases."""
    cases, expected = list[Case](), 0.0
    for seat in seats(laws.caseload, seed):
        if expected >= checkins:
            break
        cases.append(_Maker(laws, seed, seat).case(ruptures))
        expected += seat.held * (1 - laws.nonresponse.share)
    return cases


class _Maker:
    """Makes one case."""

    def __init__(self, laws: Laws, seed: int, seat: Seat) -> None:
        self._laws, self._seed, self._seat = laws, seed, seat
        effects = stream(seed, Purpose.THERAPIST, seat.therapist_number).standard_normal(2)
        self._nonresponse_of_therapist = float(effects[1])
        self._person = laws.who(float(effects[0]), stream(seed, Purpose.PERSON, seat.person_number))

    def case(self, ruptures: bool) -> Case:
        laws, seat = self._laws, self._seat
        strain = plant(laws.planting, seat.held, self._chance(Purpose.RUPTURE)) if ruptures else no_strain(seat.held)
        standing = laws.standing(self._person, seat.sessions_before + seat.held, self._chance(Purpose.STANDING))
        seen = standing[seat.sessions_before :]
        day = (seen - self._person.level) / self._person.spread
        answers, present, missed = self._answers(seen, strain), self._present(day, strain), self._missed(strain)
        return Case(
            case_id=seat.case_id,
            therapist=seat.therapist,
            team=seat.team,
            held=seat.held,
            client={int(index) + 1: answers[index].tolist() for index in np.flatnonzero(present)},
            therapist_ratings=laws.second_rater.ratings(
                laws.climate, self._person, day, strain, laws.answer_step, self._chance(Purpose.SECOND_RATER)
            ),
            missed=missed,
            answer_step=laws.answer_step,
            rupture=strain.rupture,
            sessions_before=seat.sessions_before,
        )

    def _chance(self, purpose: Purpose) -> Chance:
        return stream(self._seed, purpose, self._seat.number)

    def _answers(self, standing: Array, strain: Strain) -> Array:
        laws, step = self._laws, self._laws.answer_step
        fall = strain.fall * self._person.spread
        chance = self._chance(Purpose.HABITS)
        meant = laws.items(standing, fall, self._person, self._chance(Purpose.ANSWERS))
        usual = laws.habits(meant, self._person, step, chance)
        return filled_in_reversed(withdrawn(usual, strain, step, chance), laws.inverted_share, chance)

    def _present(self, day: Array, strain: Strain) -> Flags:
        chance = self._chance(Purpose.NONRESPONSE)
        below = strain.fall.mean(axis=1) - day
        return ~self._laws.nonresponse.missing(below, strain, self._nonresponse_of_therapist, chance)

    def _missed(self, strain: Strain) -> dict[int, int]:
        counts = self._laws.nonresponse.missed(strain, self._chance(Purpose.APPOINTMENTS))
        return {int(index) + 1: int(counts[index]) for index in np.flatnonzero(counts)}
