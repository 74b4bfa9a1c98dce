"""The CloudEvents HTTP protocol binding, version 1.0.2: a request -> events as the log holds them.

In: the headers and the body of a request. Out: structured-mode JSON bytes, one item per event; or `BindingError`.
Never: judge an event (that is `pipeline.core.acceptance`), change a byte that came in structured or batched mode, or
repeat in an error anything that was received.

Published source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from schemas.refusals import SENTENCES, Reason

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


class HttpReason(StrEnum):
    """What can be wrong with a request beside the events in it: a closed list."""

    UNAUTHORIZED = "unauthorized"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    TOO_MANY_EVENTS = "too-many-events"
    BAD_HEADER = "bad-header"
    CUT_OFF = "cut-off"
    TOO_SLOW = "too-slow"
    REFUSED_EVENTS = "refused-events"
    UNAVAILABLE = "unavailable"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"


class BindingError(Exception):
    """A request that cannot be taken: HTTP status, reason, the place that is wrong, and one plain sentence."""

    def __init__(self, status: int, reason: Reason | HttpReason, detail: str, sentence: str) -> None:
        super().__init__(f"{status} {reason}: {detail}")
        self.status = status
        self.reason = reason
        self.detail = detail
        self.sentence = sentence


def mode_of(headers: Headers) -> Mode:
    """In which mode a request comes, from its headers alone; raises `BindingError` for what is not taken here."""
    content = _content_of(headers)
    if content.encoding not in ("", "identity"):
        raise _unsupported("content-encoding", "Send the body as it is, without a Content-Encoding.")
    if content.charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise _unsupported("content-type, charset", "Send UTF-8; the charset named in Content-Type is another one.")
    if content.media_type == STRUCTURED:
        return Mode.STRUCTURED
    if content.media_type == BATCHED:
        return Mode.BATCHED
    if content.media_type.startswith(_CLOUDEVENTS):
        raise _unsupported("content-type", f"Of the CloudEvents formats only JSON is taken: {STRUCTURED} or {BATCHED}.")
    if content.media_type and not _JSON.fullmatch(content.media_type):
        raise _unsupported("content-type", f"Send {STRUCTURED}, {BATCHED}, or application/json with ce- headers.")
    return Mode.BINARY


def events_of(mode: Mode, headers: Headers, body: bytes, most_events: int) -> list[bytes]:
    """The events of a request; raises `BindingError`."""
    if mode is Mode.STRUCTURED:
        return [body]
    if mode is Mode.BATCHED:
        return _batch(body, most_events)
    return [_binary(list(headers), body)]


def _batch(body: bytes, most_events: int) -> list[bytes]:
    """Each element exactly as it stands in the array."""
    try:
        events = _array.decode(body)
    except msgspec.ValidationError:
        raise BindingError(
            400, Reason.NOT_A_CLOUDEVENT, "not a JSON array", "A batch is a JSON array of CloudEvents; send [ … ]."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from None
    if len(events) > most_events:
        raise BindingError(
            413,
            HttpReason.TOO_MANY_EVENTS,
            f"over {most_events} events",
            f"A batch holds at most {most_events} events; send the rest in further requests.",
        )
    return [bytes(event) for event in events]


def _binary(headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """The attributes from the ce- headers, the data from the body as it is."""
    event: dict[str, str | msgspec.Raw] = {}
    for name, value in _attributes(headers):
        if name in event:
            raise _bad_header("a ce- header comes twice", "Send each ce- header once.")
        event[name] = value
    if not event:
        raise BindingError(
            400,
            Reason.NOT_A_CLOUDEVENT,
            "no ce- headers",
            f"There are no ce- headers; add them, or send the whole CloudEvent as {STRUCTURED}.",
        )
    if body:
        _check_json(body)
        content_type = _one(headers, b"content-type")
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
            raise _bad_header(
                "a ce- header that is no attribute's",
                "A ce- header is named after an attribute (letters and digits); the data goes into the body and its "
                "type into Content-Type.",
            )
        yield attribute.decode(), _decoded(value)


def _decoded(value: bytes) -> str:
    """A header's value as text: first unquoted (RFC 7230, 3.2.6), then percent-decoded once, as the binding says."""
    if not _PRINTABLE.fullmatch(value):
        raise _bad_header("a ce- header that is not ASCII", "Percent-encode what is not ASCII in a ce- header.")
    unquoted = value.strip(b" \t")
    if quoted := _QUOTED.fullmatch(unquoted):
        unquoted = re.sub(rb"\\(.)", rb"\1", quoted[1])
    if _LONE_PERCENT.search(unquoted):
        raise _bad_header("a ce- header with a lone %", "Write a percent sign in a ce- header as %25.")
    try:
        return unquote_to_bytes(unquoted).decode()
    except UnicodeDecodeError:
        raise _bad_header("a ce- header that is not UTF-8", "Percent-encode ce- headers as UTF-8.") from None


def _check_json(body: bytes) -> None:
    """One JSON value and nothing after it, so that it can stand inside the event as it is."""
    try:
        _any_json.decode(body)
        body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from None


class _Content(NamedTuple):
    media_type: str
    charset: str
    encoding: str


def _content_of(headers: Headers) -> _Content:
    listed = list(headers)
    content_type = _one(listed, b"content-type")
    charset = _CHARSET.search(content_type)
    return _Content(
        media_type=content_type.partition(";")[0].strip().lower(),
        charset=charset[1].lower() if charset else "",
        encoding=_one(listed, b"content-encoding").strip().lower(),
    )


def _one(headers: list[tuple[bytes, bytes]], name: bytes) -> str:
    """The value of a header that may come once; empty when it does not."""
    values = [value for other, value in headers if other.lower() == name]
    if len(values) > 1:
        raise _bad_header(f"{name.decode()} comes twice", f"Send {name.decode()} once.")
    return values[0].decode("latin-1") if values else ""


def _unreadable(error: Exception) -> BindingError:
    reason = Reason.TOO_DEEP if isinstance(error, RecursionError) else Reason.NOT_JSON
    return BindingError(400, reason, "the body", SENTENCES[reason])


def _unsupported(detail: str, sentence: str) -> BindingError:
    return BindingError(415, HttpReason.UNSUPPORTED_MEDIA_TYPE, detail, sentence)


def _bad_header(detail: str, sentence: str) -> BindingError:
    return BindingError(400, HttpReason.BAD_HEADER, detail, sentence)
