"""A seeded practice with planted ruptures.

In: `PracticeParameters`. Out: a `Simulation`: the practice's events as CloudEvents, sorted by time, the truth about
every planted rupture, and the order in which the events arrive.
Never: a clock, a file, anything about a real person.

Every therapist has standing appointments that one case after another uses. If a case began before the simulated weeks,
only its sessions inside them become events; session numbers in the truth count from the first of these, and
`sessions_before` says how many came earlier. A rupture is planted only where events show the sessions that come before
`rupture_first_session`.
"""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np

from alliance.simulation.case_outline import CaseOutline, CaseOutlines
from alliance.simulation.case_sessions import SessionModel, Visits
from alliance.simulation.caseload import (
    EVENINGS,
    WEEK,
    StandingAppointment,
    Therapist,
    draw_therapist,
    end_of,
    evening_appointment,
    standing_appointments,
    start_of,
)
from alliance.simulation.chance import Purpose, generator, scramble
from alliance.simulation.cloud_events import Event
from alliance.simulation.delivery import arrivals
from alliance.simulation.events import EventWriter, ScheduledCase, closing
from alliance.simulation.parameters import PracticeParameters

__all__ = ["PracticeParameters", "Simulation", "simulate"]

_TICKS_BEFORE_THE_START = 40  # how long the practice has been running when the simulated weeks begin


@dataclass(frozen=True, eq=False)
class Simulation:
    """`events` sorted by time; `delivery` holds indices into them in order of arrival, duplicates twice."""

    parameters: PracticeParameters
    events: list[Event]
    truth: list[dict[str, Any]]
    delivery: list[int]


def simulate(parameters: PracticeParameters) -> Simulation:
    """The same parameters give the same simulation, to the byte."""
    written = _Practice(parameters).run()
    order = np.argsort(np.asarray(written.moments, dtype=np.int64), kind="stable").tolist()
    truth = sorted(written.truth, key=lambda row: (row["onset_at"], row["case_id"]))
    moments = [written.moments[index] for index in order]
    return Simulation(parameters, [written.events[index] for index in order], truth, arrivals(parameters, moments))


class _Practice:
    def __init__(self, parameters: PracticeParameters) -> None:
        self._parameters = parameters
        self._outlines = CaseOutlines(parameters)
        self._sessions = SessionModel(parameters)
        self._writer = EventWriter(parameters, start_of(parameters), end_of(parameters))
        self._salt = scramble(parameters.seed & 0xFFFFFFFF)
        self._transfers: list[tuple[int, int]] = []

    def run(self) -> EventWriter:
        therapists = [draw_therapist(self._parameters, number) for number in range(self._parameters.therapists)]
        for therapist in therapists if self._parameters.weeks else ():
            for appointment in standing_appointments(self._parameters, therapist):
                self._fill(therapist, appointment)
        self._take_over(therapists)
        return self._writer

    def _fill(self, therapist: Therapist, appointment: StandingAppointment) -> None:
        """One case after another, each after the last one's end and a gap."""
        tick, end = 0, appointment.tick_from(self._writer.end)
        if self._parameters.cases_under_way:
            tick = -_TICKS_BEFORE_THE_START
        number = 0
        while tick < end:
            tick = self._case(therapist, appointment, number, tick)
            number += 1

    def _take_over(self, therapists: list[Therapist]) -> None:
        """A transferred case continues as a new case of a colleague, and may be transferred again."""
        evenings = [[(0, 0, place) for place in range(EVENINGS)] for _ in therapists]
        for successor, closed_at in self._transfers:
            free_at, number, place = heapq.heappop(evenings[successor])
            appointment = evening_appointment(self._parameters, place)
            start = appointment.tick_from(max(closed_at + WEEK, free_at))
            free_at = appointment.at(self._case(therapists[successor], appointment, number, start))
            heapq.heappush(evenings[successor], (free_at, number + 1, place))

    def _case(self, therapist: Therapist, appointment: StandingAppointment, number: int, start_tick: int) -> int:
        """Write the case if any of it is inside the simulated weeks; return the tick at which the next case begins."""
        key = therapist.number << 18 | appointment.number << 11 | number
        outline = self._outlines.draw(therapist, self._generator(Purpose.OUTLINE, key))
        visits = self._sessions.visits(outline, self._generator(Purpose.VISITS, key))
        case = ScheduledCase(f"{scramble(key ^ self._salt):08x}", therapist, appointment, start_tick)
        self._write(case, outline, visits, key)
        last, wait = closing(outline, visits.ticks[-1])
        self._transfer(therapist, outline, case.at(last) + wait)
        return start_tick + last + 1 + int(outline.gap * WEEK / appointment.interval)

    def _write(self, case: ScheduledCase, outline: CaseOutline, visits: Visits, key: int) -> None:
        first = self._writer.first_seen(case, visits)
        if first is None:
            return
        earliest = first + self._parameters.rupture_first_session
        rupture = outline.rupture if outline.rupture and outline.rupture.onset >= earliest else None
        forms = self._sessions.forms(case.therapist, outline, rupture, visits, self._generator(Purpose.FORMS, key))
        self._writer.write(case, outline, visits, forms)
        if rupture:
            self._writer.write_truth(case, rupture, visits, forms, first)

    def _transfer(self, therapist: Therapist, outline: CaseOutline, closed_at: int) -> None:
        if outline.ending == "transfer" and self._writer.start <= closed_at < self._writer.end:
            others = self._parameters.therapists - 1
            successor = (therapist.number + 1 + int(outline.successor * others)) % (others + 1)
            self._transfers.append((successor, closed_at))

    def _generator(self, purpose: Purpose, key: int) -> np.random.Generator:
        return generator(self._parameters.seed, purpose, key)
