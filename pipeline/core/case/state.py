"""What a case remembers: a set of accepted events, and the timeline that follows from it.

In: records, one by one. Out: the state of a case; its stored form.
Never: depend on the order of arrival (only `version` and the visible trace of a retracted flag do).

The set is keyed by the event's identity (source, id). If a sender used one identity for two different contents, the
content with the greater digest wins, whichever came first. `version` counts distinct accepted events, so it rises with
each change, and a duplicate changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from pipeline.core.case import changelog
from pipeline.core.case.changelog import pack, unpack
from pipeline.core.case.timeline import Timeline, timeline_of
from pipeline.core.detection.prior import MeasurementModel
from pipeline.core.records import (
    CheckinRecord,
    ClosedRecord,
    HeldRecord,
    MissedRecord,
    Position,
    Record,
    position,
)
from schemas.flags import Flag
from schemas.summaries import Day

#: A case remembers up to this many events: more than 20 years of weekly sessions with two check-ins each. If there are
#: more, the oldest quarter leaves, and flags that rest on these events stay as they are.
MAX_RECORDS = 4096


@dataclass(slots=True)
class CaseState:
    """The set, and the timeline derived from it (never stored)."""

    case_id: str
    models: Mapping[str, MeasurementModel]
    #: The records as rows (`pipeline.core.case.changelog`), in the order of arrival, and the texts in them.
    rows: bytearray = field(default_factory=bytearray)
    names: list[str] = field(default_factory=list)
    #: Digests of contents that lost against another under the same identity.
    losing_digests: frozenset[int] = frozenset()
    #: Flags once published that the history no longer supports: an erasure must reach them too.
    retracted_flag_ids: frozenset[str] = frozenset()
    #: Every therapist that an accepted event has named, with the position and team of the latest such event.
    therapists: dict[str, tuple[Position, str]] = field(default_factory=dict)
    trimmed: int = 0
    sessions_before: int = 0
    #: The position of the newest event that has left the set; what comes before it is not added again.
    horizon: Position | None = None
    #: Identity -> digest of each record.
    digests: dict[int, int] = field(init=False)
    timeline: Timeline = field(init=False)
    #: What was last published about each flag, at version 0.
    published_flags: dict[str, Flag] = field(init=False)
    #: The daily counts as last published, in order of days.
    published_days: dict[date, Day] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.fold()

    @property
    def version(self) -> int:
        """Distinct accepted events."""
        return len(self.digests) + len(self.losing_digests) + self.trimmed

    def records(self) -> list[Record]:
        """The set, in the order of arrival."""
        return unpack(self.rows, self.names)

    def insert(self, record: Record, at: Position) -> bool:
        """Add the record to the set; False if the set held it already, or has held it."""
        known = self.digests.get(record.identity)
        if known is None:
            if self.horizon is not None and at <= self.horizon:
                return False
            self.append(record)
            return True
        if record.digest == known or record.digest in self.losing_digests:
            return False
        losing = min(known, record.digest)
        self.losing_digests |= {losing}
        if losing == known:
            self.replace(record)
        return True

    def append(self, record: Record) -> None:
        """Add a record whose identity is new."""
        self.rows += pack(record, self.names)
        self.digests[record.identity] = record.digest

    def replace(self, record: Record) -> None:
        """Put a record in the place of the one with the same identity; the timeline is not changed."""
        self._keep_only(record if known.identity == record.identity else known for known in self.records())

    def _keep_only(self, records: Iterable[Record]) -> None:
        self.rows, self.names, self.digests = bytearray(), [], {}
        for record in records:
            self.append(record)

    def trim(self) -> None:
        """If there are too many records, let the oldest quarter leave."""
        if len(self.digests) <= MAX_RECORDS:
            return
        ordered = sorted(self.records(), key=position)
        leaving, staying = ordered[: MAX_RECORDS // 4], ordered[MAX_RECORDS // 4 :]
        self.sessions_before += len(_sessions(leaving) - _sessions(staying))
        self._keep_only(staying)
        self.trimmed += len(leaving)
        self.horizon = position(leaving[-1])

    def note_therapist(self, record: Record, at: Position) -> None:
        """Remember the therapist that a record names, whether it wins or loses, so that the set alone decides."""
        if isinstance(record, (HeldRecord, MissedRecord, CheckinRecord)):
            named = at, record.team
        elif isinstance(record, ClosedRecord):
            named = (-(2**63), 0, 0), ""
        else:
            return
        known = self.therapists.get(record.therapist_id)
        if known is None or named > known:
            self.therapists[record.therapist_id] = named

    def fold(self) -> None:
        """Derive the timeline from scratch."""
        records = self.records()
        self.digests = {record.identity: record.digest for record in records}
        self.timeline = timeline_of(self.case_id, records, self.models, self.sessions_before)
        self.published_days = {}
        self.published_flags = {
            flag_id: episode.snapshot(self.case_id, 0) for flag_id, episode in self.timeline.episodes.by_flag_id.items()
        }


@dataclass(frozen=True, slots=True)
class Erased:
    """All that stays of an erased case."""

    version: int


State = CaseState | Erased | None


def _sessions(records: list[Record]) -> set[int]:
    return {record.session for record in records if isinstance(record, HeldRecord | CheckinRecord)}


def encode(state: CaseState) -> bytes:
    """The set as bytes; the timeline is derived again when they are read."""
    return changelog.encode(
        changelog.StoredCase(
            changelog.FORMAT,
            bytes(state.rows),
            state.names,
            state.losing_digests,
            state.retracted_flag_ids,
            state.therapists,
            state.trimmed,
            state.sessions_before,
            state.horizon,
        )
    )


def decode(case_id: str, value: bytes, models: Mapping[str, MeasurementModel]) -> CaseState:
    """A case from the changelog; raises `msgspec.DecodeError` or `ValueError`, which must stop the process."""
    stored = changelog.decode(value)
    return CaseState(
        case_id,
        models,
        bytearray(stored.rows),
        stored.names,
        stored.losing_digests,
        stored.retracted_flag_ids,
        stored.therapists,
        stored.trimmed,
        stored.sessions_before,
        stored.horizon,
    )
