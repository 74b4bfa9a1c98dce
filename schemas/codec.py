"""Bytes <-> messages.

In: bytes of a record's value. Out: a typed message, or `Undecodable` with a reason from the closed list.
Never: a decision that needs more than the bytes themselves.
"""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.events import EVENT_TYPES, FORMER_TYPES, Event
from schemas.flags import FORMER_KINDS, Flag
from schemas.refusals import Reason
from schemas.summaries import CaseSummary, TherapistSummary

_event_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_flag_decoder = msgspec.json.Decoder(Flag)
_case_decoder = msgspec.json.Decoder(CaseSummary)
_therapist_decoder = msgspec.json.Decoder(TherapistSummary)
_encoder = msgspec.json.Encoder()
_canonical = msgspec.msgpack.Encoder(order="deterministic")

_ENVELOPE = ("specversion", "id", "source", "subject", "time")

#: A CloudEvent of ours is three levels deep; whatever is nested deeper than this is refused. The limit is ours,
#: because the decoder's own depends on the interpreter and on the caller's stack.
MAX_DEPTH = 32

#: What happened earlier is a sender's fault, and calendars end: 90 days before year 1 there is no date.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


class Undecodable(Exception):
    """The bytes are no event. `detail` names the place, never a value."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def decode_event(value: bytes) -> Event:
    """The event in `value`; raises `Undecodable`."""
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise Undecodable(Reason.TOO_DEEP, "nested too deeply")
    if b"\\u0000" in value:
        raise Undecodable(Reason.INVALID_DATA, "a NUL character")
    try:
        # The decoder does not look into fields that it skips; whoever reads the archive later would.
        if not value.isascii():
            value.decode()
        event = _event_decoder.decode(value)
    except msgspec.ValidationError as error:
        raise _diagnose(value, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Undecodable(Reason.NOT_JSON, "not JSON") from None
    if not EARLIEST <= event.time <= LATEST:
        raise Undecodable(Reason.NOT_A_CLOUDEVENT, "time is outside the calendar kept here")
    return event


def _depth(value: bytes) -> int:
    """The deepest nesting of brackets outside strings; the bytes need not be valid JSON."""
    depth = deepest = 0
    inside_string = escaped = False
    for byte in value:
        if inside_string:
            inside_string = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            inside_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _diagnose(value: bytes, complaint: str) -> Undecodable:
    """Which of the closed reasons a complaint of the decoder means."""
    try:
        tree = _tree(value)
    except (msgspec.DecodeError, ValueError):
        return Undecodable(Reason.NOT_JSON, "not JSON")
    if not isinstance(tree, dict):
        return Undecodable(Reason.NOT_A_CLOUDEVENT, "not a JSON object")
    place = _place(complaint)
    if not isinstance(tree.get("type"), str):
        return Undecodable(Reason.NOT_A_CLOUDEVENT, "type is missing or no text")
    if tree["type"] not in EVENT_TYPES:
        new_name = FORMER_TYPES.get(tree["type"])
        return Undecodable(Reason.UNKNOWN_TYPE, f"type is now named {new_name}" if new_name else "type is not known")
    for attribute in _ENVELOPE:
        if attribute not in tree:
            return Undecodable(Reason.NOT_A_CLOUDEVENT, f"{attribute} is missing")
        if place == attribute:
            return Undecodable(Reason.NOT_A_CLOUDEVENT, f"{attribute} is not as it should be")
    return Undecodable(Reason.INVALID_DATA, _detail(complaint, place))


def _tree(value: bytes) -> Any:
    """The value as JSON has it, whatever it means; raises `msgspec.DecodeError` or `ValueError` when it is none."""
    try:
        return msgspec.json.decode(value)
    except msgspec.ValidationError:
        # A number that no float holds is JSON all the same; what is wrong is the data.
        return json.loads(value, parse_int=float, parse_constant=_no_json)


def _no_json(constant: str) -> None:
    """NaN and Infinity, which Python's reader would take."""
    raise ValueError(constant)


def _place(complaint: str) -> str:
    """`$.data.answers[...]` of a decoder's complaint, without the `$.`; empty for the top."""
    _, marker, rest = complaint.rpartition("at `$")
    return rest.rstrip("`").lstrip(".") if marker else ""


def _detail(complaint: str, place: str) -> str:
    """A detail for people: where, and for a missing field which. Never a value."""
    if complaint.startswith("Object missing required field"):
        return f"{complaint.split('`')[1]} is missing at {place or 'the top'}"
    return f"{place or 'the top'} is not as the schema says"


def encode(message: Any) -> bytes:
    """JSON bytes of any message of the log."""
    return _encoder.encode(message)


def canonical(event: Event) -> bytes:
    """The same bytes for the same content, whatever the sender's order of fields or spacing."""
    return _canonical.encode(event)


def decode_flag(value: bytes) -> Flag:
    """A flag snapshot that the worker wrote, with the present names of its kinds; anything else is a bug."""
    try:
        return _flag_decoder.decode(value)
    except msgspec.ValidationError:
        return _with_present_kinds(msgspec.json.decode(value))


def _with_present_kinds(flag: dict[str, Any]) -> Flag:
    kinds = [FORMER_KINDS.get(kind, kind) for kind in (flag["kind"], *flag.get("kinds", []))]
    return msgspec.convert(flag | {"kind": kinds[0], "kinds": kinds[1:]}, Flag)


def decode_case(value: bytes) -> CaseSummary:
    """A case summary of our own writing; anything else is a bug."""
    return _case_decoder.decode(value)


def decode_therapist(value: bytes) -> TherapistSummary:
    """A therapist summary of our own writing; anything else is a bug."""
    return _therapist_decoder.decode(value)


__all__ = [
    "Undecodable",
    "canonical",
    "decode_case",
    "decode_event",
    "decode_flag",
    "decode_therapist",
    "encode",
]
