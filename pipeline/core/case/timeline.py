"""The timeline of a case: one left fold over the events that count.

In: the set of a case's records. Out: session numbers, points, daily counts, and the episodes that they lead to.
Never: depend on the order in which records arrived.

`timeline_of(records)` is the definition; `Timeline.advance` is its step. A record that comes after everything the
timeline holds, and supersedes nothing, may be given to `advance` directly: a law in the tests says that this equals the
fold from scratch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.core.case.flag_lifecycle import Episode, Moment
from pipeline.core.case.flags_of_a_case import Episodes
from pipeline.core.detection.detectors import DETECTORS
from pipeline.core.detection.history import History
from pipeline.core.detection.prior import DEFAULT_MODEL, MeasurementModel
from pipeline.core.detection.signal import Detector
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

Item = tuple[Position, Record]

#: The places of the four daily counts.
_HELD, _COMPLETED, _REPAIRED, _UNREPAIRED = range(4)


@dataclass(slots=True)
class Timeline:
    """Everything that follows from the history so far."""

    case_id: str
    models: Mapping[str, MeasurementModel]
    #: Sessions that left the bounded history; numbering continues after them.
    sessions_before: int = 0
    #: The detectors asked, and how sensitive they are; other than the default only in a backtest.
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
    #: Days whose counts have changed since the last summary.
    changed_days: set[int] = field(default_factory=set, compare=False)
    latest: CheckinRecord | None = None
    latest_at: int = 0
    history: History = field(init=False)
    episodes: Episodes = field(init=False)
    #: The newest session held, while the client has not answered about it.
    unanswered: int | None = None
    #: Therapist of the newest session held or check-in.
    met: str = ""
    #: Appointments missed, by session.
    missed: set[int] = field(default_factory=set)

    #: For an instrument not known here: the practice's prior and the default precision.
    fallback: MeasurementModel = field(init=False)

    def __post_init__(self) -> None:
        first = next(iter(self.models.values()), DEFAULT_MODEL)
        self.fallback = MeasurementModel(first.prior, DEFAULT_MODEL.standard_error, None)
        self.history = History(first, self.sensitivity, sessions_before=self.sessions_before)
        self.episodes = Episodes(self.case_id, self.history, self.detectors)

    def follows(self, record: Record, at: Position) -> bool:
        """Whether `advance` may be given this new record as it is: after all others, superseding none of them."""
        if at <= self.last:
            return False
        if isinstance(record, CheckinVoidedRecord):
            return False
        return not isinstance(record, CheckinRecord) or not (
            record.checkin in self.checkins or _slot(record) in self.slots
        )

    def advance(self, at: Position, record: Record) -> list[Episode]:
        """Add the next record of the history; returns the episodes that it may have changed."""
        self.last = at
        self.last_event_at = at[0]
        if isinstance(record, CheckinRecord):
            return self._checkin(at[0], record)
        if isinstance(record, (HeldRecord, MissedRecord)):
            return self._session(at[0], record)
        if isinstance(record, ActionRecord):
            return self._counted(self.episodes.act(record.flag_id, record.action, at[0]))
        if isinstance(record, ClosedRecord):
            self.therapist_id = record.therapist_id
            self.is_closed = True
            return self._counted(self.episodes.close(at[0]))
        return []

    def _session(self, at: int, record: HeldRecord | MissedRecord) -> list[Episode]:
        self.therapist_id, self.team = record.therapist_id, record.team
        if isinstance(record, HeldRecord):
            self._meet(record.therapist_id)
            _, episodes = self._number(record.session, at)
            self.is_closed = False
            return episodes
        episodes = self._judge(at)
        if record.session in self.missed:
            return episodes
        self.missed.add(record.session)
        self.history.miss(record.by)
        return episodes + self._ask(at, f"missed-{record.identity}", is_counted=record.by == "client")

    def _meet(self, therapist_id: str) -> None:
        if self.met and therapist_id != self.met:
            self.history.change_therapist()
            self.episodes.change_therapist()
        self.met = therapist_id

    def _number(self, session: int, at: int) -> tuple[int, list[Episode]]:
        """The number of a session; its first event counts it as held on its day and decides about the one before."""
        known = self.sessions.get(session)
        if known is not None:
            return known[0], []
        day = at // DAY_US
        number = self.sessions_before + len(self.sessions) + 1
        self.sessions[session] = (number, day)
        self._count(day, _HELD)
        self.history.session_number = number
        episodes = self._judge(at)
        self.history.begin_session(number)
        self.unanswered = session
        return number, episodes

    def _judge(self, at: int) -> list[Episode]:
        """Something has happened after a session that the client has not answered about: its check-in is missing."""
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

    def _checkin(self, at: int, record: CheckinRecord) -> list[Episode]:
        self.therapist_id, self.team = record.therapist_id, record.team
        self.checkins.add(record.checkin)
        self.slots.add(_slot(record))
        self._meet(record.therapist_id)
        number, episodes = self._number(record.session, at)
        self.is_closed = False
        if record.rater != CLIENT:
            return episodes + self._therapist_checkin(at, record, number)
        if self.unanswered == record.session:
            self.unanswered = None
        self.history.answer()
        if record.total is None:
            return episodes + self._ask(at, record.checkin, is_counted=True)
        self._count(self.sessions[record.session][1], _COMPLETED)
        self.latest, self.latest_at = record, at
        return episodes + self._score(at, record, number)

    def _therapist_checkin(self, at: int, record: CheckinRecord, number: int) -> list[Episode]:
        if record.total is None:
            return []
        model = self.models.get(record.instrument, self.fallback)
        self.history.add_therapist(record.therapist_id, number, record.total, model)
        return self._ask(at, record.checkin)

    def _score(self, at: int, record: CheckinRecord, number: int) -> list[Episode]:
        model = self.models.get(record.instrument, self.fallback)
        was_live = self.episodes.open_episode is not None
        is_rebaselining = self.episodes.is_rebaselining
        point = self.history.add(number, at, record, model, is_rebaselining)
        episodes = self._ask(at, record.checkin, point.score, is_counted=True)
        if not was_live and not episodes:
            self.history.learn(point, is_rebaselining)
        return episodes

    def _ask(self, at: int, anchor: int | str, score: float | None = None, is_counted: bool = False) -> list[Episode]:
        moment = Moment(at, anchor, self.therapist_id, self.team, score, is_counted)
        changed = self.episodes.ask(moment)
        return self._counted(changed) if changed else changed

    def _counted(self, changed: list[Episode]) -> list[Episode]:
        """Count the episodes that one moment or action has ended, on the day of their end."""
        for episode in changed:
            if episode.closed_at is not None and episode.status in ("repaired", "unrepaired"):
                self._count(episode.closed_at // DAY_US, _REPAIRED if episode.status == "repaired" else _UNREPAIRED)
        return changed


def _slot(record: CheckinRecord) -> int:
    """One check-in counts for each session and rater."""
    return record.session << 1 | record.rater


def effective(records: Iterable[Record]) -> list[Item]:
    """The history that counts, in order: latest revisions, no voided check-in, one check-in per session and rater.

    A corrected check-in keeps the place of its first known revision.
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
        place = position(record, first_at[checkin])
        slot = _slot(record)
        if slot not in per_slot or place > per_slot[slot][0]:
            per_slot[slot] = (place, record)
    items.extend(per_slot.values())
    items.sort(key=lambda item: item[0])
    return items


def _keep_latest(checkins: dict[int, CheckinRecord], record: CheckinRecord) -> None:
    known = checkins.get(record.checkin)
    if known is None or (record.revision, record.digest) > (known.revision, known.digest):
        checkins[record.checkin] = record


def timeline_of(
    case_id: str,
    records: Iterable[Record],
    models: Mapping[str, MeasurementModel],
    sessions_before: int = 0,
    detectors: tuple[Detector, ...] = DETECTORS,
    sensitivity: float = 1.0,
) -> Timeline:
    """The fold from scratch."""
    records = list(records)
    timeline = Timeline(case_id, models, sessions_before, detectors, sensitivity)
    for at, record in effective(records):
        timeline.advance(at, record)
    # What was superseded is known too, so that a record which supersedes it again is not seen as a new one.
    timeline.checkins.update(record.checkin for record in records if isinstance(record, CheckinRecord))
    timeline.checkins.update(record.checkin for record in records if isinstance(record, CheckinVoidedRecord))
    timeline.last = max((position(record) for record in records), default=timeline.last)
    return timeline
