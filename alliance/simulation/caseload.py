"""Who works when: therapists, and their standing appointments, which one case after another uses.

In: the parameters. Out: therapists with their standing appointments. The times of a standing appointment are numbered:
tick 0 is the first one inside the simulated weeks, negative ticks come before them.
Never: two appointments of one therapist at the same time.
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
_FIRST_EVENING_NUMBER = 100  # above the number of any daytime appointment
_SLOTS_PER_HELD_SESSION = 1.35  # empty and missed appointments, and therapists with small caseloads
_COMPASS = ("north", "south", "east", "west", "centre", "harbour", "hill", "river")


@dataclass(frozen=True, slots=True)
class Therapist:
    """Effects in SDs; `appointments` is the number of standing appointments."""

    number: int
    therapist_id: str
    team: str
    client_rated: float
    therapist_rated: float
    missing: float
    appointments: int
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StandingAppointment:
    """Tick 0 is at `first_at`, in seconds since 1970; one tick follows every `interval` seconds."""

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
    """The first second after the simulated weeks."""
    return start_of(parameters) + parameters.weeks * WEEK


def draw_therapist(parameters: PracticeParameters, number: int) -> Therapist:
    """One therapist; the same seed and number give the same therapist in a practice of any size."""
    chance = generator(parameters.seed, Purpose.THERAPIST, number)
    client_rated, therapist_rated, missing, size = chance.standard_normal(4).tolist()
    order = chance.permutation(_WORKING_DAYS * len(_REGULAR_HOURS))
    weekly = max(1, round(parameters.sessions_per_week * _SLOTS_PER_HELD_SESSION))
    wanted = round(parameters.caseload_typical + parameters.caseload_sd * size)
    appointments = min(max(wanted, parameters.caseload_least), parameters.caseload_most, 2 * weekly)
    return Therapist(
        number=number,
        therapist_id=f"t-{number + 1:02d}",
        team=_team_name(number % parameters.teams),
        client_rated=client_rated,
        therapist_rated=therapist_rated,
        missing=missing,
        appointments=appointments,
        slots=tuple(order[: min(appointments, weekly)].tolist()),
    )


def standing_appointments(parameters: PracticeParameters, therapist: Therapist) -> Iterator[StandingAppointment]:
    """Weekly appointments; if the caseload needs more, some weekly times are shared by two fortnightly ones."""
    shared = therapist.appointments - len(therapist.slots)
    number = 0
    for position, slot in enumerate(therapist.slots):
        day, hour = divmod(slot, len(_REGULAR_HOURS))
        first_at = _first_at(parameters, day, _REGULAR_HOURS[hour])
        for week in (0, 1) if position < shared else (0,):
            yield StandingAppointment(number, first_at + week * WEEK, 2 * WEEK if position < shared else WEEK)
            number += 1


def evening_appointment(parameters: PracticeParameters, place: int) -> StandingAppointment:
    """One of the `EVENINGS` appointments for cases taken over from a colleague."""
    hour, day = divmod(place, _WORKING_DAYS)
    return StandingAppointment(_FIRST_EVENING_NUMBER + place, _first_at(parameters, day, _EVENING_HOURS[hour]), WEEK)


def _first_at(parameters: PracticeParameters, weekday: int, hour: int) -> int:
    days = (weekday - parameters.first_day.weekday()) % 7
    return start_of(parameters) + days * DAY + hour * HOUR


def _team_name(number: int) -> str:
    return _COMPASS[number] if number < len(_COMPASS) else f"team-{number + 1:02d}"
