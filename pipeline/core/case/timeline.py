"""The course of a case: one left fold over its effective history.

In: the set of a case's records. Out: session numbers, points, daily counts, the life of each flag.
Never: depend on the order in which records arrived.

`course_of(records)` is the definition; `Course.advance` is its step. A record that stands after everything the course
has seen, and supersedes nothing, may be given to `advance` directly: a law in the tests says that this equals the fold
from scratch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.core.case import episode as lifecycle
from pipeline.core.case.episode import Life
from pipeline.core.detection.detectors import DETECTORS
from pipeline.core.detection.history import Detector, History, Point, Signal
from pipeline.core.detection.prior import DEFAULT_YARDSTICK, Yardstick
from pipeline.core.instants import DAY_US
from pipeline.core.records import (
    CLIENT,
    ActionRecord,
    CheckinRecord,
    CheckinVoidedRecord,
    ClosedRecord,
    HeldRecord,
    MissedRecord,
    Position,
    Record,
    position,
)
from schemas.flags import Kind

Item = tuple[Position, Record]


@dataclass(slots=True)
class Course:
    """Everything that follows from the history so far."""

    case_id: str
    yardsticks: Mapping[str, Yardstick]
    #: Sessions that left the bounded history; numbering goes on after them.
    sessions_before: int = 0
    #: Who is asked, and how sharply; other than the default only in a backtest.
    detectors: tuple[Detector, ...] = DETECTORS
    sensitivity: float = 1.0
    last: Position = (-(2**63), 0, 0)
    last_event_at: int | None = None
    therapist_id: str = ""
    team: str = ""
    is_closed: bool = False
    #: Session -> (number, day of its first event).
    sessions: dict[int, tuple[int, int]] = field(default_factory=dict)
    #: Every check-in id and every slot (session and rater) seen, to know when a record supersedes something.
    checkins: set[int] = field(default_factory=set)
    slots: set[int] = field(default_factory=set)
    #: UTC day (days since 1970) -> held, completed, repaired, unrepaired.
    days: dict[int, list[int]] = field(default_factory=dict)
    #: Days whose counts have changed since somebody last looked.
    changed_days: set[int] = field(default_factory=set, compare=False)
    latest: CheckinRecord | None = None
    latest_at: int = 0
    history: History = field(init=False)
    #: The newest session held, while the client has not answered about it.
    unanswered: int | None = None
    lives: dict[str, Life] = field(default_factory=dict)
    live: Life | None = None
    #: The first point of the live episode.
    first_point: int = 0
    #: Kinds that were raised and must have been silent before they open another flag.
    spent: set[Kind] = field(default_factory=set)
    #: Scored check-ins in a row at or over the cut-off.
    over_cutoff: int = 0
    #: Therapist of the newest session held or check-in.
    met: str = ""
    #: Appointments missed, by session.
    missed: set[int] = field(default_factory=set)
    early_actions: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    #: For an instrument not known here: the practice's prior all the same.
    fallback: Yardstick = field(init=False)

    def __post_init__(self) -> None:
        first = next(iter(self.yardsticks.values()), DEFAULT_YARDSTICK)
        self.fallback = Yardstick(first.prior, DEFAULT_YARDSTICK.standard_error, None)
        self.history = History(first, self.sensitivity, sessions_before=self.sessions_before)

    def follows(self, record: Record, at: Position) -> bool:
        """Whether `advance` may be given this new record as it is: after all others, superseding none of them."""
        if at <= self.last:
            return False
        if isinstance(record, CheckinVoidedRecord):
            return False
        return not isinstance(record, CheckinRecord) or not (
            record.checkin in self.checkins or _slot(record) in self.slots
        )

    def advance(self, at: Position, record: Record) -> list[Life]:
        """Take the next record of the effective history; returns the lives that it may have changed."""
        self.last = at
        self.last_event_at = at[0]
        if isinstance(record, CheckinRecord):
            return self._checkin(at[0], record)
        if isinstance(record, (HeldRecord, MissedRecord)):
            return self._session(at[0], record)
        if isinstance(record, ActionRecord):
            return self._action(at[0], record)
        if isinstance(record, ClosedRecord):
            return self._closed(at[0], record)
        return []

    def _session(self, at: int, record: HeldRecord | MissedRecord) -> list[Life]:
        self.therapist_id, self.team = record.therapist_id, record.team
        if isinstance(record, HeldRecord):
            self._meet(record.therapist_id)
            _, lives = self._number(record.session, at)
            self.is_closed = False
            return lives
        lives = self._judge(at)
        if record.session in self.missed:
            return lives
        self.missed.add(record.session)
        self.history.miss(record.by)
        return lives + self._ask(at, f"missed-{record.identity}", is_counted=record.by == "client")

    def _meet(self, therapist_id: str) -> None:
        if self.met and therapist_id != self.met:
            self.history.change_therapist()
            self.first_point = len(self.history.points)
        self.met = therapist_id

    def _number(self, session: int, at: int) -> tuple[int, list[Life]]:
        """The number of a session; its first event counts it as held on its day and settles the one before."""
        known = self.sessions.get(session)
        if known is not None:
            return known[0], []
        day = at // DAY_US
        number = self.sessions_before + len(self.sessions) + 1
        self.sessions[session] = (number, day)
        self._count(day, 0)
        self.history.session_number = number
        lives = self._judge(at)
        self.history.begin_session(number)
        self.unanswered = session
        return number, lives

    def _judge(self, at: int) -> list[Life]:
        """Something happened after a session that the client has not answered about: then they will not."""
        if self.unanswered is None:
            return []
        session, self.unanswered = self.unanswered, None
        self.history.judge_missing()
        return self._ask(at, f"missing-{session}", is_counted=True)

    def _count(self, day: int, column: int) -> None:
        counts = self.days.get(day)
        if counts is None:
            counts = self.days[day] = [0, 0, 0, 0]
        counts[column] += 1
        self.changed_days.add(day)

    def _checkin(self, at: int, record: CheckinRecord) -> list[Life]:
        self.therapist_id, self.team = record.therapist_id, record.team
        self.checkins.add(record.checkin)
        self.slots.add(_slot(record))
        self._meet(record.therapist_id)
        number, lives = self._number(record.session, at)
        self.is_closed = False
        if record.rater != CLIENT:
            return lives + self._therapist_checkin(at, record, number)
        if self.unanswered == record.session:
            self.unanswered = None
        self.history.answer()
        if record.total is None:
            return lives + self._ask(at, record.checkin, is_counted=True)
        self._count(self.sessions[record.session][1], 1)
        self.latest, self.latest_at = record, at
        return lives + self._score(at, record, number)

    def _therapist_checkin(self, at: int, record: CheckinRecord, number: int) -> list[Life]:
        if record.total is None:
            return []
        yardstick = self.yardsticks.get(record.instrument, self.fallback)
        self.history.add_therapist(record.therapist_id, number, record.total, yardstick)
        return self._ask(at, record.checkin)

    def _score(self, at: int, record: CheckinRecord, number: int) -> list[Life]:
        yardstick = self.yardsticks.get(record.instrument, self.fallback)
        was_live = self.live is not None
        is_accepted = not was_live and not lifecycle.LOW_SCORES.isdisjoint(self.spent)
        point = self.history.add(number, at, record, yardstick, is_accepted)
        is_over = yardstick.cutoff is not None and point.score >= yardstick.cutoff
        self.over_cutoff = self.over_cutoff + 1 if is_over else 0
        lives = self._ask(at, record.checkin, point, is_counted=True)
        if not was_live and not lives:
            self.history.learn(point, is_accepted)
        return lives

    def _ask(self, at: int, anchor: int | str, point: Point | None = None, is_counted: bool = False) -> list[Life]:
        """Ask the detectors about what has just happened; `point` of a scored check-in."""
        signals = [signal for detector in self.detectors if (signal := detector(self.history)) is not None]
        life = self.live
        if life is not None:
            score = None if point is None else point.score
            lifecycle.on_moment(life, score, signals, at, is_counted)
            self._after(life)
            return [life]
        fresh = [signal for signal in signals if signal.kind not in self.spent]
        if fresh:
            self.first_point = len(self.history.points) - (point is not None)
            return [self._open(at, anchor, fresh, signals)]
        if point is not None and self.spent:
            stay: set[Kind] = {"low"} if self.over_cutoff < lifecycle.REPAIR_CHECKINS else set()
            self.spent &= stay.union(signal.kind for signal in signals)
        return []

    def _open(self, at: int, anchor: int | str, fresh: list[Signal], signals: list[Signal]) -> Life:
        number = self.history.session_number
        life = lifecycle.opened(self.case_id, anchor, fresh, signals, at, number, self.therapist_id, self.team)
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
        is_repaired = life.status == "repaired"
        self.spent.update(kind for kind in life.kinds if kind == "low" or not is_repaired)
        if not is_repaired and not lifecycle.LOW_SCORES.isdisjoint(life.kinds):
            self.spent |= lifecycle.LOW_SCORES
        self.history.end_episode(is_repaired, life.target, self.first_point)
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


def _slot(record: CheckinRecord) -> int:
    """One check-in a session and rater counts."""
    return record.session << 1 | record.rater


def effective(records: Iterable[Record]) -> list[Item]:
    """The history that counts, in order: latest revisions, no voided check-in, one check-in per session and rater.

    A corrected check-in stands where its first known revision stood.
    """
    checkins: dict[int, CheckinRecord] = {}
    first_at: dict[int, int] = {}
    voided: set[int] = set()
    items: list[Item] = []
    for record in records:
        if isinstance(record, CheckinRecord):
            _keep_latest(checkins, record)
            first_at[record.checkin] = min(record.at, first_at.get(record.checkin, record.at))
        elif isinstance(record, CheckinVoidedRecord):
            voided.add(record.checkin)
        else:
            items.append((position(record), record))
    per_slot: dict[int, tuple[Position, CheckinRecord]] = {}
    for checkin, record in checkins.items():
        if checkin in voided:
            continue
        where = position(record, first_at[checkin])
        slot = _slot(record)
        if slot not in per_slot or where > per_slot[slot][0]:
            per_slot[slot] = (where, record)
    items.extend(per_slot.values())
    items.sort(key=lambda item: item[0])
    return items


def _keep_latest(checkins: dict[int, CheckinRecord], record: CheckinRecord) -> None:
    known = checkins.get(record.checkin)
    if known is None or (record.revision, record.digest) > (known.revision, known.digest):
        checkins[record.checkin] = record


def course_of(
    case_id: str,
    records: Iterable[Record],
    yardsticks: Mapping[str, Yardstick],
    sessions_before: int = 0,
    detectors: tuple[Detector, ...] = DETECTORS,
    sensitivity: float = 1.0,
) -> Course:
    """The fold from scratch."""
    records = list(records)
    course = Course(case_id, yardsticks, sessions_before, detectors, sensitivity)
    for at, record in effective(records):
        course.advance(at, record)
    # What was superseded is known too, so that a record which supersedes it again is not taken for a new one.
    course.checkins.update(record.checkin for record in records if isinstance(record, CheckinRecord))
    course.checkins.update(record.checkin for record in records if isinstance(record, CheckinVoidedRecord))
    course.last = max((position(record) for record in records), default=course.last)
    return course
