"""What happened to a case, as CloudEvents 1.0 (structured mode, JSON).

Out: a frozen type for each kind of event on `alliance.events.v1`.
Never: check more than the form of an event (the rest is `pipeline.core.acceptance`).

`subject` is the case_id; `time` is when it happened; `source` and `id` together are the idempotency key.
Unknown extra fields are ignored.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Identifier = Annotated[str, Meta(min_length=1, max_length=200)]
EventId = Annotated[Identifier, Meta(description="Identifies the event together with `source`: the idempotency key.")]
Source = Annotated[Identifier, Meta(description="The sending system: a URI or a name.")]
CaseId = Annotated[
    Identifier, Meta(description="The case_id, a pseudonym that the sender makes; also the record's key.")
]
Instant = Annotated[datetime, Meta(tz=True, description="When it happened: RFC 3339 with an offset, 1900 or later.")]

CheckinId = Annotated[Identifier, Meta(description="Identifies the check-in; default: `source`, `#` and `id`.")]
#: Long enough for the default too, so that every check-in can be voided.
VoidedId = Annotated[
    str, Meta(min_length=1, max_length=401, description="To void a check-in: its `checkin_id`, or its default.")
]
FlagId = Annotated[Identifier, Meta(description="The `flag_id` of the flag.")]
InstrumentId = Annotated[Identifier, Meta(description="Id of the instrument, such as `checkin-4/1`.")]
PersonId = Annotated[Identifier, Meta(description="The person who acted, a pseudonym that the sender makes.")]
SessionId = Annotated[Identifier, Meta(description="The session, a pseudonym that the sender makes.")]
Team = Annotated[Identifier, Meta(description="The therapist's team.")]
TherapistId = Annotated[Identifier, Meta(description="The therapist, a pseudonym that the sender makes.")]

Answers = Annotated[
    dict[str, float | None], Meta(description="A number for each item of the instrument; null or absent: not answered.")
]
Revision = Annotated[int, Meta(ge=1, le=1_000_000, description="A higher revision replaces the lower ones.")]

Rater = Literal["client", "therapist"]


class CheckinData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answers that one rater gave after one session."""

    session_id: SessionId
    therapist_id: TherapistId
    team: Team
    rater: Annotated[Rater, Meta(description="Whose answers these are.")]
    instrument: InstrumentId
    answers: Answers
    checkin_id: CheckinId | None = None
    revision: Revision = 1


class VoidedData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Names the check-in that no longer counts."""

    checkin_id: VoidedId


class SessionData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A session that took place."""

    session_id: SessionId
    therapist_id: TherapistId
    team: Team


class MissedData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A session that did not take place, and who missed it."""

    session_id: SessionId
    therapist_id: TherapistId
    team: Team
    by: Annotated[Literal["client", "therapist", "unknown"], Meta(description="Who missed the session.")]


class ClosedData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The end of a case."""

    therapist_id: TherapistId
    reason: Annotated[Literal["planned", "dropout", "transfer"], Meta(description="How the work ended.")]


class FlagActionData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a supervisor did about a flag."""

    flag_id: FlagId
    by: PersonId


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type"):
    """The CloudEvents attributes that every event carries."""

    specversion: Annotated[Literal["1.0"], Meta(description="The CloudEvents version, as text.")]
    id: EventId
    source: Source
    subject: CaseId
    time: Instant


class CheckinSubmitted(_Envelope, frozen=True, kw_only=True, gc=False, tag="alliance.checkin.submitted.v1"):
    """A client or a therapist answered the check-in after a session."""

    data: CheckinData


class CheckinVoided(_Envelope, frozen=True, kw_only=True, gc=False, tag="alliance.checkin.voided.v1"):
    """A check-in was voided and no longer counts."""

    data: VoidedData


class SessionHeld(_Envelope, frozen=True, kw_only=True, gc=False, tag="alliance.session.held.v1"):
    """A session took place."""

    data: SessionData


class SessionMissed(_Envelope, frozen=True, kw_only=True, gc=False, tag="alliance.session.missed.v1"):
    """A session was due and did not take place."""

    data: MissedData


class CaseClosed(_Envelope, frozen=True, kw_only=True, gc=False, tag="alliance.case.closed.v1"):
    """The work with this therapist ended."""

    data: ClosedData


class FlagAcknowledged(_Envelope, frozen=True, kw_only=True, gc=False, tag="alliance.flag.acknowledged.v1"):
    """A supervisor acknowledged the flag and takes care of it."""

    data: FlagActionData


class FlagDiscussed(_Envelope, frozen=True, kw_only=True, gc=False, tag="alliance.flag.discussed.v1"):
    """The flag was discussed with the therapist or the client."""

    data: FlagActionData


class FlagDismissed(_Envelope, frozen=True, kw_only=True, gc=False, tag="alliance.flag.dismissed.v1"):
    """A supervisor decided that the flag was a false alarm."""

    data: FlagActionData


class NoData(msgspec.Struct, frozen=True, gc=False):
    """No fields; `data` may be left out."""


class CaseErased(_Envelope, frozen=True, kw_only=True, gc=False, tag="alliance.case.erased.v1"):
    """Everything known about the case is to be deleted."""

    data: NoData | None = None


Event = (
    CheckinSubmitted
    | CheckinVoided
    | SessionHeld
    | SessionMissed
    | CaseClosed
    | FlagAcknowledged
    | FlagDiscussed
    | FlagDismissed
    | CaseErased
)

EVENT_TYPES: dict[str, type[_Envelope]] = {
    str(event.__struct_config__.tag): event
    for event in (
        CheckinSubmitted,
        CheckinVoided,
        SessionHeld,
        SessionMissed,
        CaseClosed,
        FlagAcknowledged,
        FlagDiscussed,
        FlagDismissed,
        CaseErased,
    )
}

#: Names of types before version 0.1.0. An event with such a name is refused, and the refusal gives the new name.
FORMER_TYPES: dict[str, str] = {"alliance.checkin.withdrawn.v1": "alliance.checkin.voided.v1"}

_TYPES: dict[type, str] = {event: name for name, event in EVENT_TYPES.items()}


def type_of(event: Event) -> str:
    """The CloudEvents `type` of an event."""
    return _TYPES[type(event)]
