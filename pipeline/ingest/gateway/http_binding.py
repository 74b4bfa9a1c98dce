"""The CloudEvents HTTP protocol binding, version 1.0.2: a request -> events as the log holds them.

In: the headers and the body of a request. Out: structured-mode JSON bytes, one item for each event; or `HttpProblem`.
Never: decide whether an event is accepted (that is `pipeline.core.acceptance`); change a byte of an event in structured
or batched mode; repeat anything that was received in an error.

Published source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from pipeline.ingest.gateway.problems import bad_header, not_an_event, too_many_events, unreadable, unsupported

Headers = Iterable[tuple[bytes, bytes]]

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
_JSON = re.compile(r"application/(?:[^+;\s]+\+)?json")
_CLOUDEVENTS = "application/cloudevents"
_PREFIX = b"ce-"

_ATTRIBUTE = re.compile(rb"[a-z0-9]+")
_PRINTABLE = re.compile(rb"[\t\x20-\x7e]*")
_LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)\"?", re.IGNORECASE)

_any_json = msgspec.json.Decoder(msgspec.Raw)
_array = msgspec.json.Decoder(list[msgspec.Raw])


class Mode(StrEnum):
    """How a request carries its events."""

    STRUCTURED = "structured"
    BINARY = "binary"
    BATCHED = "batched"


def mode_of(headers: Headers) -> Mode:
    """The mode of a request, from its headers alone; raises `HttpProblem` if the gateway cannot read such a body."""
    content = _content_of(headers)
    if content.encoding not in ("", "identity"):
        raise unsupported("content-encoding", "Send the body uncompressed, without the header Content-Encoding.")
    if content.charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise unsupported("content-type, charset", "Content-Type names a charset that is not UTF-8. Send UTF-8.")
    if content.media_type == STRUCTURED:
        return Mode.STRUCTURED
    if content.media_type == BATCHED:
        return Mode.BATCHED
    if content.media_type.startswith(_CLOUDEVENTS):
        raise unsupported("content-type", f"Send CloudEvents in JSON, as {STRUCTURED} or {BATCHED}.")
    if content.media_type and not _JSON.fullmatch(content.media_type):
        raise unsupported("content-type", f"Send {STRUCTURED}, {BATCHED}, or application/json with ce- headers.")
    return Mode.BINARY


def events_of(mode: Mode, headers: Headers, body: bytes, most_events: int) -> list[bytes]:
    """The events of a request; raises `HttpProblem`."""
    if mode is Mode.STRUCTURED:
        return [body]
    if mode is Mode.BATCHED:
        return _batch(body, most_events)
    return [_binary(list(headers), body)]


def _batch(body: bytes, most_events: int) -> list[bytes]:
    """Each element, byte for byte as in the array."""
    try:
        events = _array.decode(body)
    except msgspec.ValidationError:
        sentence = "A batch is a JSON array of CloudEvents. Send [event, event, …]."
        raise not_an_event("not a JSON array", sentence) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from None
    if len(events) > most_events:
        raise too_many_events(most_events)
    return [bytes(event) for event in events]


def _binary(headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """The attributes from the ce- headers, the data from the unchanged body."""
    event: dict[str, str | msgspec.Raw] = {}
    for name, value in _attributes(headers):
        if name in event:
            raise bad_header("a ce- header occurs twice", "Send each ce- header once.")
        event[name] = value
    if not event:
        sentence = f"There are no ce- headers. Add them, or send the whole CloudEvent as {STRUCTURED}."
        raise not_an_event("no ce- headers", sentence)
    if body:
        _check_json(body)
        content_type = _header(headers, b"content-type")
        event["datacontenttype"] = content_type or "application/json"
        event["data"] = msgspec.Raw(body)
    return msgspec.json.encode(event)


def _attributes(headers: list[tuple[bytes, bytes]]) -> Iterable[tuple[str, str]]:
    for raw_name, value in headers:
        name = raw_name.lower()
        if not name.startswith(_PREFIX):
            continue
        attribute = name.removeprefix(_PREFIX)
        if not _ATTRIBUTE.fullmatch(attribute) or attribute in (b"data", b"datacontenttype"):
            raise bad_header(
                "a ce- header that does not name an attribute",
                "The name of a ce- header is ce- and an attribute, in letters and digits. Send the data as the body, "
                "and its type as Content-Type.",
            )
        yield attribute.decode(), _decoded(value)


def _decoded(value: bytes) -> str:
    """A header's value as text: first unquoted (RFC 7230, 3.2.6), then percent-decoded once, as the binding says."""
    if not _PRINTABLE.fullmatch(value):
        raise bad_header("a ce- header that is not ASCII", "Percent-encode all other characters in a ce- header.")
    unquoted = value.strip(b" \t")
    if quoted := _QUOTED.fullmatch(unquoted):
        unquoted = re.sub(rb"\\(.)", rb"\1", quoted[1])
    if _LONE_PERCENT.search(unquoted):
        raise bad_header("a ce- header with a lone %", "Write a percent sign in a ce- header as %25.")
    try:
        return unquote_to_bytes(unquoted).decode()
    except UnicodeDecodeError:
        raise bad_header("a ce- header that is not UTF-8", "Percent-encode ce- headers as UTF-8.") from None


def _check_json(body: bytes) -> None:
    """The body must be one JSON value and nothing else: it becomes a part of the event unchanged."""
    try:
        _any_json.decode(body)
        body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from None


class _Content(NamedTuple):
    media_type: str
    charset: str
    encoding: str


def _content_of(headers: Headers) -> _Content:
    listed = list(headers)
    content_type = _header(listed, b"content-type")
    charset = _CHARSET.search(content_type)
    return _Content(
        media_type=content_type.partition(";")[0].strip().lower(),
        charset=charset[1].lower() if charset else "",
        encoding=_header(listed, b"content-encoding").strip().lower(),
    )


def _header(headers: list[tuple[bytes, bytes]], name: bytes) -> str:
    """The value of a header that may occur once; empty if it is absent."""
    values = [value for other, value in headers if other.lower() == name]
    if len(values) > 1:
        raise bad_header(f"{name.decode()} occurs twice", f"Send {name.decode()} once.")
    return values[0].decode("latin-1") if values else ""
