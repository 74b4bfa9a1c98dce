"""What a case remembers of each accepted event, small enough to keep.

In: an accepted event. Out: one `Record`, the element of the case's set.
Never: answers, names, texts; ids of sessions and check-ins are kept as 64-bit digests.
"""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

import msgspec

from pipeline.core.acceptance import Accepted
from schemas import events
from schemas.codec import canonical

CLIENT, THERAPIST = 0, 1


class _Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`identity`: digest of source and id; `digest`: digest of the whole content; `at`: microseconds."""

    identity: int
    digest: int
    at: int


class HeldRecord(_Record, frozen=True, array_like=True, gc=False, tag=0):
    """A session took place."""

    session: int
    therapist_id: str
    team: str


class MissedRecord(_Record, frozen=True, array_like=True, gc=False, tag=1):
    """A session did not take place."""

    session: int
    therapist_id: str
    team: str
    by: str


class CheckinRecord(_Record, frozen=True, array_like=True, gc=False, tag=2):
    """A scored (or unscorable) check-in."""

    session: int
    therapist_id: str
    team: str
    checkin: int
    revision: int
    rater: int
    instrument: str
    #: Shares 0-1, None where the instrument's missing-item rule says so.
    total: float | None
    ingredients: dict[str, float]
    #: All answers are the same; all are the best possible ones; digest of the answers, to notice repeated ones.
    straight_lined: bool
    perfect: bool
    pattern: int


class CheckinVoidedRecord(_Record, frozen=True, array_like=True, gc=False, tag=3):
    """A check-in was voided and no longer counts."""

    checkin: int


class ActionRecord(_Record, frozen=True, array_like=True, gc=False, tag=4):
    """A supervisor acknowledged, discussed or dismissed a flag."""

    flag_id: str
    action: str


class ClosedRecord(_Record, frozen=True, array_like=True, gc=False, tag=5):
    """The case ended."""

    therapist_id: str
    reason: str


Record = HeldRecord | MissedRecord | CheckinRecord | CheckinVoidedRecord | ActionRecord | ClosedRecord

#: Order of records of the same instant.
_RANK: dict[type, int] = {
    HeldRecord: 0,
    MissedRecord: 1,
    CheckinRecord: 2,
    CheckinVoidedRecord: 3,
    ActionRecord: 4,
    ClosedRecord: 5,
}

_ACTIONS: dict[type, str] = {
    events.FlagAcknowledged: "acknowledged",
    events.FlagDiscussed: "discussed",
    events.FlagDismissed: "dismissed",
}

#: The same bytes for the same answers, whatever their order.
_sorted_bytes = msgspec.msgpack.Encoder(order="sorted").encode

Position = tuple[int, int, int]


def position(record: Record, at: int | None = None) -> Position:
    """A record's place in its case's history: by time, then kind, then identity."""
    return (record.at if at is None else at, _RANK[type(record)], record.identity)


def digest64(*parts: str) -> int:
    """A 64-bit digest of texts."""
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8).digest(), "big")


#: Cached: the events of one session name the same session id, and arrive soon after one another.
_session_digest = lru_cache(maxsize=20_000)(digest64)


def checkin_id_of(event: events.CheckinSubmitted) -> str:
    """The check-in's own id; by default made from source and id."""
    return event.data.checkin_id or f"{event.source}#{event.id}"


def record_of(accepted: Accepted) -> Record:
    """What the case remembers of this event. An erasure has no record: it empties the case."""
    event = accepted.event
    identity = digest64(event.source, event.id)
    digest = int.from_bytes(blake2b(canonical(event), digest_size=16).digest()[:8], "big")
    at = accepted.at
    match event:
        case events.CheckinSubmitted():
            return _checkin_record(identity, digest, accepted, event)
        case events.SessionHeld(data=data):
            return HeldRecord(identity, digest, at, _session_digest(data.session_id), data.therapist_id, data.team)
        case events.SessionMissed(data=data):
            return MissedRecord(
                identity, digest, at, _session_digest(data.session_id), data.therapist_id, data.team, data.by
            )
        case events.CheckinVoided(data=data):
            return CheckinVoidedRecord(identity, digest, at, digest64(data.checkin_id))
        case events.CaseClosed(data=data):
            return ClosedRecord(identity, digest, at, data.therapist_id, data.reason)
        case events.FlagAcknowledged() | events.FlagDiscussed() | events.FlagDismissed():
            return ActionRecord(identity, digest, at, event.data.flag_id, _ACTIONS[type(event)])
        case _:
            raise AssertionError(f"no record for {type(event).__name__}")


def _pattern(answers: Mapping[str, float | None]) -> int:
    """32 bits that are the same for the same answers."""
    return int.from_bytes(blake2b(_sorted_bytes(answers), digest_size=4).digest(), "big")


def _checkin_record(identity: int, digest: int, accepted: Accepted, event: events.CheckinSubmitted) -> CheckinRecord:
    data, scores = event.data, accepted.scores
    assert scores is not None
    given = [answer for answer in data.answers.values() if answer is not None]
    return CheckinRecord(
        identity,
        digest,
        accepted.at,
        _session_digest(data.session_id),
        data.therapist_id,
        data.team,
        digest64(checkin_id_of(event)),
        data.revision,
        CLIENT if data.rater == "client" else THERAPIST,
        data.instrument,
        scores.total,
        scores.ingredients,
        straight_lined=len(given) > 1 and min(given) == max(given),
        perfect=scores.total == 1.0,
        pattern=_pattern(data.answers),
    )
