"""Writes cases as the project's own events: CloudEvents in JSON lines, and the truth as `alliance simulate` writes it.

In: cases. Out: events in order of time, one row for each planted rupture, and the practice's own instrument as TOML.
Never: a corrected, late or repeated event (`alliance.simulation.delivery` makes those); the end of a case.

Sessions are weekly, and a missed appointment takes a week. Cases begin one after another within the first half year. A
case that was already in progress begins with the log.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.families.case import Case
from benchmarks.families.instrument import Form, form_of

#: Names inside the folder of a written practice.
EVENTS, TRUTH, INSTRUMENTS = "events.jsonl", "truth.jsonl", "instruments"
SOURCE = "urn:alliance:families"
FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)
WEEK, SESSION, NO_SHOW = timedelta(weeks=1), timedelta(minutes=50), timedelta(minutes=15)
CLIENT_DELAY, THERAPIST_DELAY = timedelta(minutes=4), timedelta(minutes=10)
BEGIN_WITHIN_WEEKS = 26
_DAYS, _FIRST_HOUR, _HOURS = 5, 8, 9

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    """A session held: the number of its appointment, counted from 1, and when it began."""

    session: int
    appointment: int
    at: datetime


def events_of(cases: Sequence[Case], first_day: datetime = FIRST_DAY) -> list[Event]:
    """All events of a practice, in order of time."""
    found = [event for index, case in enumerate(cases) for event in _of_case(case, _begins(case, index, first_day))]
    return sorted(found, key=lambda event: (event["time"], event["id"]))


def truth_of(cases: Sequence[Case], first_day: datetime = FIRST_DAY) -> list[dict[str, Any]]:
    """One row for each planted rupture, in order of onset."""
    rows = [row for index, case in enumerate(cases) for row in _truth_rows(case, _begins(case, index, first_day))]
    return sorted(rows, key=lambda row: (row["onset_at"], row["case_id"]))


def write_practice(cases: Sequence[Case], folder: Path) -> None:
    """`events.jsonl`, `truth.jsonl` and, if the practice has its own instrument, `instruments/*.toml`."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_lines(folder / EVENTS, events_of(cases))
    _write_lines(folder / TRUTH, truth_of(cases))
    form = form_of(cases[0].answer_step)
    if form.definition is not None:
        (folder / INSTRUMENTS).mkdir(exist_ok=True)
        name = form.identity.replace("/", "-") + ".toml"
        (folder / INSTRUMENTS / name).write_text(form.definition, encoding="utf-8")


def _write_lines(path: Path, rows: Iterable[object]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def _begins(case: Case, index: int, first_day: datetime) -> datetime:
    week = 0 if case.sessions_before else index % BEGIN_WITHIN_WEEKS
    hour = _FIRST_HOUR + index // _DAYS % _HOURS
    return first_day + week * WEEK + timedelta(days=index % _DAYS, hours=hour)


def _visits(case: Case, begins: datetime) -> Iterator[Visit]:
    appointment = 0
    for session in range(1, case.held + 1):
        appointment += 1 + case.missed.get(session, 0)
        yield Visit(session, appointment, begins + (appointment - 1) * WEEK)


def _of_case(case: Case, begins: datetime) -> Iterator[Event]:
    form = form_of(case.answer_step)
    for visit in _visits(case, begins):
        for back in range(case.missed.get(visit.session, 0), 0, -1):
            data = {**_session(case, visit.appointment - back), "by": "client"}
            yield _event(
                case, "session.missed", visit.appointment - back, "missed", visit.at - back * WEEK + NO_SHOW, data
            )
        ended_at = visit.at + SESSION
        yield _event(case, "session.held", visit.appointment, "held", ended_at, _session(case, visit.appointment))
        if visit.session in case.client:
            yield _checkin(case, form, visit, "client", case.client[visit.session], ended_at + CLIENT_DELAY)
        if visit.session in case.therapist_ratings:
            ratings = case.therapist_ratings[visit.session]
            yield _checkin(case, form, visit, "therapist", ratings, ended_at + THERAPIST_DELAY)


def _checkin(case: Case, form: Form, visit: Visit, rater: str, shares: Sequence[float], at: datetime) -> Event:
    data = {
        **_session(case, visit.appointment),
        "rater": rater,
        "instrument": form.identity,
        "checkin_id": f"k-{_code(case)}-{visit.appointment:03d}-{rater}",
        "answers": form.answers(shares),
    }
    return _event(case, "checkin.submitted", visit.appointment, rater, at, data)


def _event(case: Case, kind: str, appointment: int, suffix: str, at: datetime, data: dict[str, Any]) -> Event:
    return {
        "specversion": "1.0",
        "id": f"{_code(case)}-{appointment:03d}-{suffix}",
        "source": SOURCE,
        "type": f"alliance.{kind}.v1",
        "subject": case.case_id,
        "time": _time_text(at),
        "datacontenttype": "application/json",
        "data": data,
    }


def _truth_rows(case: Case, begins: datetime) -> Iterator[dict[str, Any]]:
    rupture = case.rupture
    if rupture is None:
        return
    visits = {visit.session: visit for visit in _visits(case, begins)}
    after = rupture.onset + rupture.lasts
    strained = [visits[session] for session in range(rupture.onset, min(after, case.held + 1))]
    yield {
        "case_id": case.case_id,
        "therapist_id": case.therapist,
        "team": case.team,
        "kind": rupture.kind,
        "shape": rupture.shape,
        "onset_session": rupture.onset,
        "onset_at": _time_text(strained[0].at + SESSION),
        "depth": rupture.depth,
        "repaired_session": after if after <= case.held else None,
        "session_ids": [_session(case, visit.appointment)["session_id"] for visit in strained],
        "noticed_by_therapist": rupture.noticed,
        "sessions_before": case.sessions_before,
    }


def _session(case: Case, appointment: int) -> dict[str, str]:
    identity = f"s-{_code(case)}-{appointment:03d}"
    return {"session_id": identity, "therapist_id": case.therapist, "team": case.team}


def _code(case: Case) -> str:
    return case.case_id.removeprefix("c-")


def _time_text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
