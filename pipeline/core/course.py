"""The course of a case: one left fold over its effective history.

In: the set of a case's records. Out: session numbers, points, daily counts, the life of each flag.
Never: depend on the order in which records arrived.

`course_of(records)` is the definition; `Course.advance` is its step. A record that stands after everything the course
has seen, and supersedes nothing, may be given to `advance` directly: a law in the tests says that this equals the fold
from scratch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.core import lifecycle
from pipeline.core.detectors import DETECTORS
from pipeline.core.history import History, Point, Signal
from pipeline.core.instants import DAY_US
from pipeline.core.lifecycle import Life
from pipeline.core.prior import DEFAULT_YARDSTICK, Yardstick
from pipeline.core.records import (
    CLIENT,
    ActionRecord,
    CheckinRecord,
    ClosedRecord,
    HeldRecord,
    MissedRecord,
    Position,
    Record,
    WithdrawalRecord,
    position,
)

Item = tuple[Position, Record]


@dataclass(slots=True)
class Course:
    """Everything that follows from the history so far."""

    case_id: str
    yardsticks: Mapping[str, Yardstick]
    #: Sessions that left the bounded history; numbering goes on after them.
    sessions_before: int = 0
    last: Position = (-(2**63), 0, 0)
    last_event_at: int | None = None
    therapist_id: str = ""
    team: str = ""
    is_closed: bool = False
    #: Session -> (number, day of its first event).
    sessions: dict[int, tuple[int, int]] = field(default_factory=dict)
    #: Every check-in id and every (session, rater) seen, to know when a record supersedes something.
    checkins: set[int] = field(default_factory=set)
    raters: set[tuple[int, int]] = field(default_factory=set)
    #: UTC day (days since 1970) -> held, completed, repaired, unrepaired.
    days: dict[int, list[int]] = field(default_factory=dict)
    latest: CheckinRecord | None = None
    latest_at: int = 0
    history: History = field(default_factory=lambda: History(DEFAULT_YARDSTICK))
    lives: dict[str, Life] = field(default_factory=dict)
    live: Life | None = None
    is_armed: bool = True
    early_actions: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def follows(self, record: Record) -> bool:
        """Whether `advance` may be given this new record as it is: after all others, superseding none of them."""
        if position(record) <= self.last:
            return False
        if isinstance(record, WithdrawalRecord):
            return False
        return not isinstance(record, CheckinRecord) or not (
            record.checkin in self.checkins or (record.session, record.rater) in self.raters
        )

    def advance(self, at: Position, record: Record) -> list[Life]:
        """Take the next record of the effective history; returns the lives that it may have changed."""
        self.last = at
        self.last_event_at = at[0]
        match record:
            case CheckinRecord():
                return self._checkin(at[0], record)
            case HeldRecord() | MissedRecord():
                return self._session(at[0], record)
            case ActionRecord():
                return self._action(at[0], record)
            case ClosedRecord():
                return self._closed(at[0], record)
            case _:
                return []

    def _session(self, at: int, record: HeldRecord | MissedRecord) -> list[Life]:
        self.therapist_id, self.team = record.therapist_id, record.team
        if isinstance(record, HeldRecord):
            self._number(record.session, at)
            self.is_closed = False
        return []

    def _number(self, session: int, at: int) -> int:
        """The number of a session; the first event of a session counts it as held on its day."""
        known = self.sessions.get(session)
        if known is None:
            day = at // DAY_US
            known = self.sessions[session] = (self.sessions_before + len(self.sessions) + 1, day)
            self._count(day, 0)
        return known[0]

    def _count(self, day: int, column: int) -> None:
        self.days.setdefault(day, [0, 0, 0, 0])[column] += 1

    def _checkin(self, at: int, record: CheckinRecord) -> list[Life]:
        self.therapist_id, self.team = record.therapist_id, record.team
        self.checkins.add(record.checkin)
        self.raters.add((record.session, record.rater))
        number = self._number(record.session, at)
        self.is_closed = False
        if record.rater != CLIENT or record.total is None:
            return []
        self._count(self.sessions[record.session][1], 1)
        self.latest, self.latest_at = record, at
        return self._score(at, record, number, record.total)

    def _score(self, at: int, record: CheckinRecord, number: int, total: float) -> list[Life]:
        yardstick = self.yardsticks.get(record.instrument, DEFAULT_YARDSTICK)
        point = self.history.add(number, at, total, yardstick)
        signals = [signal for detector in DETECTORS if (signal := detector(self.history)) is not None]
        if self.live is not None:
            life = self.live
            lifecycle.on_checkin(life, point.score, signals, at)
            self._after(life)
            return [life]
        if signals and self.is_armed:
            return [self._open(at, record, point, signals)]
        self.is_armed = self.is_armed or not signals
        self.history.take_into_baseline(point)
        return []

    def _open(self, at: int, record: CheckinRecord, point: Point, signals: list[Signal]) -> Life:
        life = lifecycle.opened(
            self.case_id, record.checkin, signals, at, point.session_number, self.therapist_id, self.team
        )
        self.lives[life.flag_id] = self.live = life
        for acted_at, action in self.early_actions.pop(life.flag_id, []):
            lifecycle.on_action(life, action, acted_at)
        self._after(life)
        return life

    def _after(self, life: Life) -> None:
        """Book an episode that has just ended."""
        if life.is_live:
            return
        self.live = None
        self.is_armed = life.status == "repaired"
        if life.closed_at is not None and life.status in ("repaired", "unrepaired"):
            self._count(life.closed_at // DAY_US, 2 if life.status == "repaired" else 3)

    def _action(self, at: int, record: ActionRecord) -> list[Life]:
        life = self.lives.get(record.flag_id)
        if life is None:
            self.early_actions.setdefault(record.flag_id, []).append((at, record.action))
            return []
        was_live = life.is_live
        lifecycle.on_action(life, record.action, at)
        if was_live:
            self._after(life)
        return [life]

    def _closed(self, at: int, record: ClosedRecord) -> list[Life]:
        self.therapist_id = record.therapist_id
        self.is_closed = True
        if self.live is None:
            return []
        life = self.live
        lifecycle.close(life, "unrepaired", at)
        self._after(life)
        return [life]


def effective(records: Iterable[Record]) -> list[Item]:
    """The history that counts, in order: latest revisions, nothing withdrawn, one check-in per session and rater.

    A corrected check-in stands where its first known revision stood.
    """
    checkins: dict[int, CheckinRecord] = {}
    first_at: dict[int, int] = {}
    withdrawn: set[int] = set()
    items: list[Item] = []
    for record in records:
        if isinstance(record, CheckinRecord):
            _keep_latest(checkins, record)
            first_at[record.checkin] = min(record.at, first_at.get(record.checkin, record.at))
        elif isinstance(record, WithdrawalRecord):
            withdrawn.add(record.checkin)
        else:
            items.append((position(record), record))
    per_rater: dict[tuple[int, int], tuple[Position, CheckinRecord]] = {}
    for checkin, record in checkins.items():
        if checkin in withdrawn:
            continue
        where = position(record, first_at[checkin])
        slot = (record.session, record.rater)
        if slot not in per_rater or where > per_rater[slot][0]:
            per_rater[slot] = (where, record)
    items.extend(per_rater.values())
    items.sort(key=lambda item: item[0])
    return items


def _keep_latest(checkins: dict[int, CheckinRecord], record: CheckinRecord) -> None:
    known = checkins.get(record.checkin)
    if known is None or (record.revision, record.digest) > (known.revision, known.digest):
        checkins[record.checkin] = record


def course_of(
    case_id: str, records: Iterable[Record], yardsticks: Mapping[str, Yardstick], sessions_before: int = 0
) -> Course:
    """The fold from scratch."""
    records = list(records)
    course = Course(case_id, yardsticks, sessions_before)
    for at, record in effective(records):
        course.advance(at, record)
    # What was superseded is known too, so that a record which supersedes it again is not taken for a new one.
    course.checkins.update(record.checkin for record in records if isinstance(record, CheckinRecord))
    course.checkins.update(record.checkin for record in records if isinstance(record, WithdrawalRecord))
    course.last = max((position(record) for record in records), default=course.last)
    return course
