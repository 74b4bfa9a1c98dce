"""One case: a set of accepted events, and what follows from it.

In: a case's state and one accepted event. Out: the new state and the facts that changed.
Never: act on the world, depend on the order of arrival (only `version` and the visible trace of a retracted flag do).

The set is keyed by the event's identity (source, id). Two different contents under one identity are a sender's fault;
the one with the greater digest wins, whichever came first. `version` counts distinct accepted events, so it rises with
every change and a duplicate changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

import msgspec

from pipeline.core.acceptance import Accepted
from pipeline.core.case.changelog import pack, unpack
from pipeline.core.case.timeline import Course, course_of
from pipeline.core.detection.prior import Yardstick
from pipeline.core.instants import DAY_US, day_of, from_us
from pipeline.core.records import (
    CheckinRecord,
    ClosedRecord,
    HeldRecord,
    MissedRecord,
    Position,
    Record,
    position,
    record_of,
)
from schemas.events import CaseErased
from schemas.flags import Flag
from schemas.refusals import Reason
from schemas.summaries import CaseStatus, CaseSummary, Day

#: A case remembers this many events; beyond it the oldest quarter leaves, and flags resting on them stay as they are.
MAX_RECORDS = 4096
#: Daily counts travel for this many days before the case's last event.
COUNTED_DAYS = 90


@dataclass(slots=True)
class CaseState:
    """The set, and the course derived from it (never stored)."""

    case_id: str
    yardsticks: Mapping[str, Yardstick]
    #: The records as rows (`pipeline.core.case.changelog`), in the order of arrival, and the texts in them.
    rows: bytearray = field(default_factory=bytearray)
    names: list[str] = field(default_factory=list)
    #: Digests of contents that lost against another under the same identity.
    losers: frozenset[int] = frozenset()
    #: Flags once published whose ground is gone: an erasure must reach them too.
    past_flags: frozenset[str] = frozenset()
    #: Every therapist that an accepted event has named, with the place and team of the latest such event.
    therapists: dict[str, tuple[Position, str]] = field(default_factory=dict)
    trimmed: int = 0
    sessions_before: int = 0
    horizon: Position | None = None
    #: Identity -> digest of every record.
    digests: dict[int, int] = field(init=False)
    course: Course = field(init=False)
    #: What was last said about each flag, at version 0.
    said: dict[str, Flag] = field(init=False)
    #: The daily counts as last told, and the oldest day among them.
    told_days: dict[date, Day] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._refold()

    @property
    def version(self) -> int:
        """Distinct accepted events."""
        return len(self.digests) + len(self.losers) + self.trimmed

    def records(self) -> list[Record]:
        """The set, in the order of arrival."""
        return unpack(self.rows, self.names)

    def add(self, record: Record) -> None:
        """One record more."""
        self.rows += pack(record, self.names)
        self.digests[record.identity] = record.digest

    def set_records(self, records: Iterable[Record]) -> None:
        """These records and no others; the course is left as it was."""
        self.rows, self.names, self.digests = bytearray(), [], {}
        for record in records:
            self.add(record)

    def _refold(self) -> None:
        records = self.records()
        self.digests = {record.identity: record.digest for record in records}
        self.course = course_of(self.case_id, records, self.yardsticks, self.sessions_before)
        self.told_days = {}
        self.said = {flag_id: life.snapshot(self.case_id, 0) for flag_id, life in self.course.lives.items()}


@dataclass(frozen=True, slots=True)
class Erased:
    """All that stays of an erased case."""

    version: int


State = CaseState | Erased | None


@dataclass(slots=True)
class Facts:
    """What is to be told: flag snapshots, flags to delete, summaries; or why the event was refused."""

    flags: list[Flag] = field(default_factory=list)
    deleted_flags: list[str] = field(default_factory=list)
    summaries: list[CaseSummary] = field(default_factory=list)
    refusal: Reason | None = None


#: The event was known: nothing has changed.
NOTHING_NEW = Facts()
#: Nothing to be told of but the summaries.
_NO_FLAGS = Facts()


def step(state: State, accepted: Accepted, yardsticks: Mapping[str, Yardstick]) -> tuple[State, Facts]:
    """Take one accepted event and tell all that follows. The given state is used up: go on with the returned one."""
    state, facts = absorb(state, accepted, yardsticks)
    if facts is not NOTHING_NEW and isinstance(state, CaseState):
        facts = Facts(facts.flags, summaries=summaries(state))
    return state, facts


def absorb(state: State, accepted: Accepted, yardsticks: Mapping[str, Yardstick]) -> tuple[State, Facts]:
    """As `step`, but the summaries of a case that goes on are left to `summaries`, once after several events.

    `NOTHING_NEW` says that the event was known.
    """
    if isinstance(accepted.event, CaseErased):
        return _erase(state)
    if isinstance(state, Erased):
        return state, Facts(refusal=Reason.ERASED)
    case_id = accepted.event.subject
    if state is None:
        state = CaseState(case_id, yardsticks)
    return state, _absorb(state, record_of(accepted), accepted.at)


def _erase(state: State) -> tuple[State, Facts]:
    if isinstance(state, Erased):
        return state, NOTHING_NEW
    if state is None:
        return Erased(version=1), Facts()
    version = state.version + 1
    return Erased(version), Facts(
        deleted_flags=sorted(state.past_flags | state.said.keys()),
        summaries=[_empty_summary(state, one, version, "erased") for one in sorted(state.therapists)],
    )


def _absorb(state: CaseState, record: Record, event_at: int) -> Facts:
    is_new = record.identity not in state.digests
    at = position(record)
    if not _put(state, record, at):
        return NOTHING_NEW
    _name_therapist(state, record, at)
    if is_new and len(state.digests) <= MAX_RECORDS and state.course.follows(record, at):
        flags = _advance(state, record, at)
    else:
        _trim(state)
        flags = _refold_and_compare(state, event_at)
    return Facts(flags) if flags else _NO_FLAGS


def _put(state: CaseState, record: Record, at: Position) -> bool:
    """Join the record to the set; False when the set knew it already."""
    known = state.digests.get(record.identity)
    if known is None:
        if state.horizon is not None and at <= state.horizon:
            return False
        state.add(record)
        return True
    if record.digest == known or record.digest in state.losers:
        return False
    loser = min(known, record.digest)
    state.losers |= {loser}
    if loser == known:
        state.set_records(record if one.identity == record.identity else one for one in state.records())
    return True


def _advance(state: CaseState, record: Record, at: Position) -> list[Flag]:
    """The fast path: the record goes to the end of the course."""
    changed = []
    for life in state.course.advance(at, record):
        now = life.snapshot(state.case_id, 0)
        if state.said.get(life.flag_id) != now:
            state.said[life.flag_id] = now
            changed.append(msgspec.structs.replace(now, version=state.version))
    return changed


def _refold_and_compare(state: CaseState, event_at: int) -> list[Flag]:
    """The defining path: fold from scratch, tell every difference, retract what has lost its ground."""
    before = state.said
    state._refold()
    changed = [
        msgspec.structs.replace(flag, version=state.version)
        for flag_id, flag in state.said.items()
        if before.get(flag_id) != flag
    ]
    for flag_id in sorted(before.keys() - state.said.keys()):
        state.past_flags |= {flag_id}
        if state.horizon is not None and before[flag_id].opened_at <= from_us(state.horizon[0]):
            continue
        changed.append(_retracted(before[flag_id], state.version, event_at))
    return changed


def _retracted(flag: Flag, version: int, event_at: int) -> Flag:
    at = from_us(event_at)
    return msgspec.structs.replace(flag, status="retracted", version=version, updated_at=at, closed_at=at)


def _trim(state: CaseState) -> None:
    if len(state.digests) <= MAX_RECORDS:
        return
    ordered = sorted(state.records(), key=position)
    leaving, staying = ordered[: MAX_RECORDS // 4], ordered[MAX_RECORDS // 4 :]
    state.sessions_before += len(_sessions(leaving) - _sessions(staying))
    state.set_records(staying)
    state.trimmed += len(leaving)
    state.horizon = position(leaving[-1])


def _sessions(records: list[Record]) -> set[int]:
    return {record.session for record in records if isinstance(record, HeldRecord | CheckinRecord)}


def _name_therapist(state: CaseState, record: Record, at: Position) -> None:
    """Remember whom the record names, whether it wins or loses: so the answer depends on the set alone."""
    if isinstance(record, (HeldRecord, MissedRecord, CheckinRecord)):
        named = at, record.team
    elif isinstance(record, ClosedRecord):
        named = (-(2**63), 0, 0), ""
    else:
        return
    known = state.therapists.get(record.therapist_id)
    if known is None or named > known:
        state.therapists[record.therapist_id] = named


def summaries(state: CaseState) -> list[CaseSummary]:
    """The case for its therapist, and a farewell to everyone else who has been named."""
    current = state.course.therapist_id
    farewells = [
        _empty_summary(state, one, state.version, "left") for one in sorted(state.therapists) if one != current
    ]
    return [*farewells, summary_of(state)] if current else farewells


def _empty_summary(state: CaseState, therapist_id: str, version: int, status: CaseStatus) -> CaseSummary:
    """The case no longer counts for this therapist."""
    return CaseSummary(
        case_id=state.case_id,
        therapist_id=therapist_id,
        team=state.therapists[therapist_id][1],
        version=version,
        status=status,
    )


def summary_of(state: CaseState) -> CaseSummary:
    """The case as its therapist's figures see it."""
    course = state.course
    status: CaseStatus = "closed" if course.is_closed else "active"
    latest, live = course.latest, course.live
    return CaseSummary(
        case_id=state.case_id,
        therapist_id=course.therapist_id,
        team=course.team,
        version=state.version,
        status=status,
        last_event_at=None if course.last_event_at is None else from_us(course.last_event_at),
        score=None if latest is None else latest.total,
        ingredients={} if latest is None else latest.ingredients,
        scored_at=None if latest is None else from_us(course.latest_at),
        scored_here=latest is not None and latest.therapist_id == course.therapist_id,
        open_flag=None if live is None else live.severity,
        unacknowledged_since=None if live is None or live.status != "open" else from_us(live.opened_at),
        days=_recent_days(state),
    )


def _recent_days(state: CaseState) -> dict[date, Day]:
    """What was told before, with the days that have changed since, without those that have become too old."""
    course, told = state.course, state.told_days
    if course.last_event_at is None:
        return {}
    oldest = course.last_event_at // DAY_US - COUNTED_DAYS
    first = _date(oldest + 1)
    if not course.changed_days and (not told or next(iter(told)) >= first):
        return told
    last = next(reversed(told), first)
    told = dict(told) if not told or next(iter(told)) >= first else {one: told[one] for one in told if one >= first}
    changed = {_date(day): Day(*course.days[day]) for day in sorted(course.changed_days) if day > oldest}
    course.changed_days.clear()
    told.update(changed)
    if changed and min(changed) < last:
        told = dict(sorted(told.items()))
    state.told_days = told
    return told


@lru_cache(maxsize=4096)
def _date(day: int) -> date:
    return day_of(day * DAY_US)


class _StoredCase(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A case in the changelog, format 2."""

    format: int
    rows: bytes
    names: list[str]
    losers: frozenset[int]
    past_flags: frozenset[str]
    therapists: dict[str, tuple[Position, str]]
    trimmed: int
    sessions_before: int
    horizon: Position | None


FORMAT = 2
_decoder = msgspec.msgpack.Decoder(_StoredCase)
_encoder = msgspec.msgpack.Encoder(order="deterministic")
_erased_decoder = msgspec.msgpack.Decoder(int)


def encode(state: CaseState) -> bytes:
    """The set as bytes; the course is derived again when they are read."""
    return _encoder.encode(
        _StoredCase(
            FORMAT,
            bytes(state.rows),
            state.names,
            state.losers,
            state.past_flags,
            state.therapists,
            state.trimmed,
            state.sessions_before,
            state.horizon,
        )
    )


def decode(case_id: str, value: bytes, yardsticks: Mapping[str, Yardstick]) -> CaseState:
    """A case from the changelog; raises `msgspec.DecodeError` or `ValueError`, which must stop the process."""
    stored = _decoder.decode(value)
    if stored.format != FORMAT:
        raise msgspec.DecodeError(f"changelog format {stored.format} is not known to this version")
    return CaseState(
        case_id,
        yardsticks,
        bytearray(stored.rows),
        stored.names,
        stored.losers,
        stored.past_flags,
        stored.therapists,
        stored.trimmed,
        stored.sessions_before,
        stored.horizon,
    )


def is_erased(value: bytes) -> bool:
    """Whether the bytes are the mark of an erased case: a number, where a case is an array."""
    return not value[:1] or not 0x90 <= value[0] <= 0xDF


def encode_erased(state: Erased) -> bytes:
    """The mark of an erased case as bytes."""
    return _encoder.encode(state.version)


def decode_erased(value: bytes) -> Erased:
    """The mark of an erased case."""
    return Erased(_erased_decoder.decode(value))
