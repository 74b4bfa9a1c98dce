"""A seeded practice with planted ruptures.

In: `PracticeParameters`. Out: a `Simulation`: the practice's events as CloudEvents, sorted by time, the
truth about every planted rupture, and the order in which the events arrive. Must never: read a clock, write
a file, or contain anything of a real person.

Every therapist has standing appointments that one case after another takes. A case that was under way when
the log begins shows only its sessions from then on; session numbers in the truth count from its first
session in the log, and `sessions_before` says how many came earlier. A rupture is planted
only where the log shows the sessions that come before `rupture_first_session`.
"""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np

from alliance.simulation.caseload import (
    EVENINGS,
    WEEK,
    Chair,
    Therapist,
    chairs,
    end_of,
    evening_chair,
    start_of,
    therapist,
)
from alliance.simulation.chance import Purpose, generator, scramble
from alliance.simulation.course import Courses, Visits
from alliance.simulation.delivery import arrivals
from alliance.simulation.life import Life, Lives
from alliance.simulation.log import Case, Log, closing
from alliance.simulation.messages import Event
from alliance.simulation.parameters import PracticeParameters

__all__ = ["PracticeParameters", "Simulation", "simulate"]

_TICKS_BEFORE_THE_LOG = 40  # appointments for which the practice has been running when the log begins


@dataclass(frozen=True, eq=False)
class Simulation:
    """`events` sorted by time; `delivery` holds indices into them in order of arrival, duplicates twice."""

    parameters: PracticeParameters
    events: list[Event]
    truth: list[dict[str, Any]]
    delivery: list[int]


def simulate(parameters: PracticeParameters) -> Simulation:
    """The same parameters give the same simulation, to the byte."""
    log = _Practice(parameters).run()
    order = np.argsort(np.asarray(log.moments, dtype=np.int64), kind="stable").tolist()
    truth = sorted(log.truth, key=lambda row: (row["onset_at"], row["case_id"]))
    moments = [log.moments[index] for index in order]
    return Simulation(parameters, [log.events[index] for index in order], truth, arrivals(parameters, moments))


class _Practice:
    def __init__(self, parameters: PracticeParameters) -> None:
        self._parameters = parameters
        self._lives = Lives(parameters)
        self._courses = Courses(parameters)
        self._log = Log(parameters, start_of(parameters), end_of(parameters))
        self._salt = scramble(parameters.seed & 0xFFFFFFFF)
        self._transfers: list[tuple[int, int]] = []

    def run(self) -> Log:
        owners = [therapist(self._parameters, number) for number in range(self._parameters.therapists)]
        for owner in owners if self._parameters.weeks else ():
            for chair in chairs(self._parameters, owner):
                self._fill(owner, chair)
        self._take_over(owners)
        return self._log

    def _fill(self, owner: Therapist, chair: Chair) -> None:
        """One case after another, each after the last one's end and a gap."""
        tick, end = 0, chair.tick_from(self._log.end)
        if self._parameters.cases_under_way:
            tick = -_TICKS_BEFORE_THE_LOG
        number = 0
        while tick < end:
            tick = self._case(owner, chair, number, tick)
            number += 1

    def _take_over(self, owners: list[Therapist]) -> None:
        """Cases transferred go on as new cases of a colleague, and may be transferred again."""
        evenings = [[(0, 0, place) for place in range(EVENINGS)] for _ in owners]
        for successor, closed_at in self._transfers:
            free_at, number, place = heapq.heappop(evenings[successor])
            chair = evening_chair(self._parameters, place)
            start = chair.tick_from(max(closed_at + WEEK, free_at))
            free_at = chair.at(self._case(owners[successor], chair, number, start))
            heapq.heappush(evenings[successor], (free_at, number + 1, place))

    def _case(self, owner: Therapist, chair: Chair, number: int, start_tick: int) -> int:
        """Writes the case if any of it is in the log; returns the tick at which the next one begins."""
        key = owner.number << 18 | chair.number << 11 | number
        life = self._lives.draw(owner, self._generator(Purpose.LIFE, key))
        visits = self._courses.visits(life, self._generator(Purpose.HAPPENINGS, key))
        case = Case(f"{scramble(key ^ self._salt):08x}", owner, chair, start_tick)
        self._write(case, life, visits, key)
        last, wait = closing(life, visits.ticks[-1])
        self._pass_on(owner, life, case.at(last) + wait)
        return start_tick + last + 1 + int(life.gap * WEEK / chair.interval)

    def _write(self, case: Case, life: Life, visits: Visits, key: int) -> None:
        first = self._log.first_seen(case, visits)
        if first is None:
            return
        earliest = first + self._parameters.rupture_first_session
        rupture = life.rupture if life.rupture and life.rupture.onset >= earliest else None
        course = self._courses.forms(case.owner, life, rupture, visits, self._generator(Purpose.COURSE, key))
        self._log.write(case, life, visits, course)
        if rupture:
            self._log.write_truth(case, rupture, visits, course, first)

    def _pass_on(self, owner: Therapist, life: Life, closed_at: int) -> None:
        if life.ending == "transfer" and self._log.start <= closed_at < self._log.end:
            others = self._parameters.therapists - 1
            successor = (owner.number + 1 + int(life.successor * others)) % (others + 1)
            self._transfers.append((successor, closed_at))

    def _generator(self, purpose: Purpose, key: int) -> np.random.Generator:
        return generator(self._parameters.seed, purpose, key)
