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

#: An event is three levels deep; a value that is nested deeper than this limit is refused. The decoder's own limit
#: depends on the interpreter and the caller's stack, so it would not be the same in every process.
MAX_DEPTH = 32

#: An earlier time is a sender's mistake. Both limits keep the rules, which add and subtract days, within the calendar.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


class Undecodable(Exception):
    """The bytes are not an event. `detail` names the place, never a value."""

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
        # The decoder does not check fields that it skips, but a later reader of the archive would decode them.
        if not value.isascii():
            value.decode()
        event = _event_decoder.decode(value)
    except msgspec.ValidationError as error:
        raise _diagnose(value, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Undecodable(Reason.NOT_JSON, "not JSON") from None
    if not EARLIEST <= event.time <= LATEST:
        raise Undecodable(Reason.NOT_A_CLOUDEVENT, "time is before the year 1900 or after 9999")
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


def _diagnose(value: bytes, message: str) -> Undecodable:
    """The reason of the closed list that fits an error of the decoder."""
    try:
        tree = _tree(value)
    except (msgspec.DecodeError, ValueError):
        return Undecodable(Reason.NOT_JSON, "not JSON")
    if not isinstance(tree, dict):
        return Undecodable(Reason.NOT_A_CLOUDEVENT, "not a JSON object")
    place = _place(message)
    if not isinstance(tree.get("type"), str):
        return Undecodable(Reason.NOT_A_CLOUDEVENT, "type is missing or not text")
    if tree["type"] not in EVENT_TYPES:
        new_name = FORMER_TYPES.get(tree["type"])
        return Undecodable(Reason.UNKNOWN_TYPE, f"type is now named {new_name}" if new_name else "type is not known")
    for attribute in _ENVELOPE:
        if attribute not in tree:
            return Undecodable(Reason.NOT_A_CLOUDEVENT, f"{attribute} is missing")
        if place == attribute:
            return Undecodable(Reason.NOT_A_CLOUDEVENT, f"{attribute} is not as CloudEvents says")
    return Undecodable(Reason.INVALID_DATA, _detail(message, place))


def _tree(value: bytes) -> Any:
    """The value as plain JSON; raises `msgspec.DecodeError` or `ValueError` if it is not JSON."""
    try:
        return msgspec.json.decode(value)
    except msgspec.ValidationError:
        # A number that is too large for a float is still JSON; the data is wrong.
        return json.loads(value, parse_int=float, parse_constant=_refuse_constant)


def _refuse_constant(constant: str) -> None:
    """NaN and Infinity are not JSON, but Python's reader accepts them."""
    raise ValueError(constant)


def _place(message: str) -> str:
    """`$.data.answers[...]` from a decoder's message, without the `$.`; empty for the top."""
    _, marker, rest = message.rpartition("at `$")
    return rest.rstrip("`").lstrip(".") if marker else ""


def _detail(message: str, place: str) -> str:
    """A detail for people: the place, and the name of a missing field. Never a value."""
    if message.startswith("Object missing required field"):
        return f"{message.split('`')[1]} is missing at {place or 'the top'}"
    return f"{place or 'the top'} is not as the schema says"


def encode(message: Any) -> bytes:
    """JSON bytes of any message."""
    return _encoder.encode(message)


def canonical(event: Event) -> bytes:
    """The same bytes for the same content, independent of the sender's order of fields and spacing."""
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
    """A case summary that the worker wrote; anything else is a bug."""
    return _case_decoder.decode(value)


def decode_therapist(value: bytes) -> TherapistSummary:
    """A therapist summary that the worker wrote; anything else is a bug."""
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
