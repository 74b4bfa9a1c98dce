"""The events of one case and, if a rupture was planted in it, a row of truth.

In: the outline, the visits and the forms of a case, and its standing appointment. Out: rows appended to an
`EventWriter`, only for times inside the simulated weeks.
Never: a rupture in the truth that the events do not show from its first session.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from alliance.simulation.case_outline import CaseOutline, Rupture
from alliance.simulation.case_sessions import Answers, CaseForms, Visits
from alliance.simulation.caseload import DAY, HOUR, MINUTE, StandingAppointment, Therapist
from alliance.simulation.cloud_events import Event, event, points, time_text
from alliance.simulation.parameters import INSTRUMENT, PracticeParameters

_SESSION = 50 * MINUTE
_NO_SHOW = 15 * MINUTE
_SLOWEST_FORM = 55 * MINUTE


@dataclass(frozen=True, slots=True)
class ScheduledCase:
    """A case in the calendar. `code` is eight hexadecimal digits, `start_tick` the tick of the first session."""

    code: str
    therapist: Therapist
    appointment: StandingAppointment
    start_tick: int

    @property
    def case_id(self) -> str:
        return f"c-{self.code}"

    def at(self, tick: int) -> int:
        return self.appointment.at(self.start_tick + tick)


@dataclass(slots=True)
class EventWriter:
    """Collects `events` with their times, `moments`, in seconds since 1970; both in the order of writing."""

    parameters: PracticeParameters
    start: int
    end: int
    moments: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    truth: list[dict[str, Any]] = field(default_factory=list)

    def first_seen(self, case: ScheduledCase, visits: Visits) -> int | None:
        """Index of the first session held inside the simulated weeks."""
        for index, tick in enumerate(visits.ticks):
            if self.start <= case.at(tick) < self.end:
                return index
        return None

    def write(self, case: ScheduledCase, outline: CaseOutline, visits: Visits, forms: CaseForms) -> None:
        for index, tick in enumerate(visits.ticks):
            if case.at(tick) >= self.start:
                self._write_missed(case, visits, forms, index)
                if case.at(tick) < self.end:
                    self._write_session(case, tick, forms, index)
        self._write_end(case, outline, visits.ticks[-1])

    def write_truth(self, case: ScheduledCase, rupture: Rupture, visits: Visits, forms: CaseForms, first: int) -> None:
        """Session numbers count from 1 the sessions that have events, as a reader of the events would."""
        onset = rupture.onset - 1
        held = [tick for tick in visits.ticks if case.at(tick) < self.end]
        affected = held[onset : onset + rupture.strained]
        is_repaired = rupture.is_repaired and len(held) > onset + rupture.strained
        if not affected:
            return
        self.truth.append(
            {
                "case_id": case.case_id,
                "therapist_id": case.therapist.therapist_id,
                "team": case.therapist.team,
                "kind": rupture.kind,
                "shape": rupture.shape,
                "onset_session": onset - first + 1,
                "onset_at": time_text(_ended_at(case, affected[0], forms, onset)),
                "depth": rupture.depth,
                "repaired_session": onset - first + rupture.strained + 1 if is_repaired else None,
                "session_ids": [_session_id(case, tick) for tick in affected],
                "noticed_by_therapist": rupture.noticed,
                "sessions_before": first,
            }
        )

    def _add(self, kind: str, suffix: str, case: ScheduledCase, at: int, data: dict[str, Any]) -> None:
        self.moments.append(at)
        self.events.append(event(kind, f"{case.code}-{suffix}", case.case_id, at, data))

    def _write_missed(self, case: ScheduledCase, visits: Visits, forms: CaseForms, index: int) -> None:
        for tick in range(visits.ticks[index] - visits.missed_before[index], visits.ticks[index]):
            self._write_one_missed(case, tick, self._absent(forms.missed_by[index]))

    def _write_one_missed(self, case: ScheduledCase, tick: int, by: str) -> None:
        at = case.at(tick)
        if self.start <= at < self.end:
            data = {**_session(case, tick), "by": by}
            self._add("session.missed", f"{tick + 1:03d}-missed", case, at + _NO_SHOW, data)

    def _absent(self, draw: float) -> str:
        client = self.parameters.missed_by_client_share
        if draw < client:
            return "client"
        return "therapist" if draw < client + self.parameters.missed_by_therapist_share else "unknown"

    def _write_session(self, case: ScheduledCase, tick: int, forms: CaseForms, index: int) -> None:
        ended_at = _ended_at(case, tick, forms, index)
        self._add("session.held", f"{tick + 1:03d}-held", case, ended_at, _session(case, tick))
        answers, seen = forms.answers[index], forms.therapist_answers[index]
        if answers:
            at = ended_at + _delay(4 * MINUTE, forms.client_delay[index])
            self._write_checkin(case, tick, "client", answers, at)
            self._write_corrections(case, tick, forms, index, at)
        if seen:
            at = ended_at + _delay(10 * MINUTE, forms.therapist_delay[index])
            self._write_checkin(case, tick, "therapist", seen, at)

    def _write_checkin(
        self, case: ScheduledCase, tick: int, rater: str, answers: Answers, at: int, revision: int = 1
    ) -> None:
        data = {
            **_session(case, tick),
            "rater": rater,
            "instrument": INSTRUMENT,
            "checkin_id": _checkin_id(case, tick, rater),
            "answers": points(answers),
        }
        suffix = f"{tick + 1:03d}-{rater}"
        if revision > 1:
            data["revision"] = revision
            suffix = f"{suffix}-r{revision}"
        self._add("checkin.submitted", suffix, case, at, data)

    def _write_corrections(self, case: ScheduledCase, tick: int, forms: CaseForms, index: int, at: int) -> None:
        corrected = forms.corrections[index]
        later = at + HOUR + int(forms.later[index] * 2 * DAY)
        if corrected:
            self._write_checkin(case, tick, "client", corrected, later, revision=2)
        if forms.voided[index]:
            data = {"checkin_id": _checkin_id(case, tick, "client")}
            self._add("checkin.voided", f"{tick + 1:03d}-voided", case, later + HOUR, data)

    def _write_end(self, case: ScheduledCase, outline: CaseOutline, last: int) -> None:
        tick, wait = closing(outline, last)
        for absent in range(last + 1, last + 1 + (outline.no_shows if outline.ending == "dropout" else 0)):
            self._write_one_missed(case, absent, "client")
        if self.start <= case.at(tick) < self.end:
            data = {"therapist_id": case.therapist.therapist_id, "reason": outline.ending}
            self._add("case.closed", "closed", case, case.at(tick) + wait, data)


def closing(outline: CaseOutline, last: int) -> tuple[int, int]:
    """The tick of the last appointment kept for the case, and the seconds after it when it is closed."""
    if outline.ending == "dropout":
        return last + max(1, outline.no_shows), HOUR
    return last, 3 * HOUR


def _ended_at(case: ScheduledCase, tick: int, forms: CaseForms, index: int) -> int:
    return case.at(tick) + _SESSION + int(forms.overrun[index] * 5 * MINUTE)


def _delay(median: int, normal: float) -> int:
    return int(min(max(median * math.exp(0.7 * normal), 30), _SLOWEST_FORM))


def _session(case: ScheduledCase, tick: int) -> dict[str, Any]:
    return {
        "session_id": _session_id(case, tick),
        "therapist_id": case.therapist.therapist_id,
        "team": case.therapist.team,
    }


def _session_id(case: ScheduledCase, tick: int) -> str:
    return f"s-{case.code}-{tick + 1:03d}"


def _checkin_id(case: ScheduledCase, tick: int, rater: str) -> str:
    return f"k-{case.code}-{tick + 1:03d}-{rater}"
