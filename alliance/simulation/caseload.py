"""Who works when: therapists, and the standing appointments that one case after another takes.

In: the parameters. Out: therapists with their chairs; a chair's ticks are its appointments, tick 0 the
first one of the log, negative ticks the time before it. Must never: give a therapist two appointments at
once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from alliance.simulation.chance import Purpose, generator
from alliance.simulation.parameters import PracticeParameters

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_WORKING_DAYS = 5
_REGULAR_HOURS = range(8, 17)
_EVENING_HOURS = range(17, 20)  # kept free for cases taken over from a colleague
EVENINGS = _WORKING_DAYS * len(_EVENING_HOURS)
_EVENING_CHAIR = 100  # above the number of any regular one
_SLOTS_PER_HELD_SESSION = 1.35  # empty and missed appointments, and therapists with small caseloads
_COMPASS = ("north", "south", "east", "west", "centre", "harbour", "hill", "river")


@dataclass(frozen=True, slots=True)
class Therapist:
    """Effects in SDs; `chairs` is the number of standing appointments."""

    number: int
    therapist_id: str
    team: str
    client_rated: float
    therapist_rated: float
    missing: float
    chairs: int
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chair:
    """A standing appointment: tick 0 at `first_at`, in seconds since 1970, then every `interval` seconds."""

    number: int
    first_at: int
    interval: int

    def at(self, tick: int) -> int:
        return self.first_at + tick * self.interval

    def tick_from(self, at: int) -> int:
        """The first tick that is not before `at`."""
        return -((self.first_at - at) // self.interval)


def start_of(parameters: PracticeParameters) -> int:
    return int(parameters.first_day.timestamp())


def end_of(parameters: PracticeParameters) -> int:
    """The first second after the log."""
    return start_of(parameters) + parameters.weeks * WEEK


def therapist(parameters: PracticeParameters, number: int) -> Therapist:
    """One therapist; the same one whatever the size of the practice."""
    chance = generator(parameters.seed, Purpose.THERAPIST, number)
    client_rated, therapist_rated, missing, size = chance.standard_normal(4).tolist()
    order = chance.permutation(_WORKING_DAYS * len(_REGULAR_HOURS))
    weekly = max(1, round(parameters.sessions_per_week * _SLOTS_PER_HELD_SESSION))
    wanted = round(parameters.caseload_typical + parameters.caseload_sd * size)
    chairs = min(max(wanted, parameters.caseload_least), parameters.caseload_most, 2 * weekly)
    return Therapist(
        number=number,
        therapist_id=f"t-{number + 1:02d}",
        team=_team_name(number % parameters.teams),
        client_rated=client_rated,
        therapist_rated=therapist_rated,
        missing=missing,
        chairs=chairs,
        slots=tuple(order[: min(chairs, weekly)].tolist()),
    )


def chairs(parameters: PracticeParameters, owner: Therapist) -> Iterator[Chair]:
    """Weekly appointments, and as many slots shared by two fortnightly ones as the caseload needs."""
    shared = owner.chairs - len(owner.slots)
    number = 0
    for position, slot in enumerate(owner.slots):
        day, hour = divmod(slot, len(_REGULAR_HOURS))
        first_at = _first_at(parameters, day, _REGULAR_HOURS[hour])
        for week in (0, 1) if position < shared else (0,):
            yield Chair(number, first_at + week * WEEK, 2 * WEEK if position < shared else WEEK)
            number += 1


def evening_chair(parameters: PracticeParameters, place: int) -> Chair:
    """One of the `EVENINGS` appointments for cases taken over from a colleague."""
    hour, day = divmod(place, _WORKING_DAYS)
    return Chair(_EVENING_CHAIR + place, _first_at(parameters, day, _EVENING_HOURS[hour]), WEEK)


def _first_at(parameters: PracticeParameters, weekday: int, hour: int) -> int:
    days = (weekday - parameters.first_day.weekday()) % 7
    return start_of(parameters) + days * DAY + hour * HOUR


def _team_name(number: int) -> str:
    return _COMPASS[number] if number < len(_COMPASS) else f"team-{number + 1:02d}"
