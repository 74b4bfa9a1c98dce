"""What every door does with one event before it goes into the log.

In: the bytes of one CloudEvent and the time on the door's clock. Out: the record to send, or the refusal.
Never: send; an opinion of its own (`accept` judges, with the very key and timestamp that the record will carry).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from pipeline.core.acceptance import Refusal, accept
from schemas.instruments.definition import Instrument
from schemas.topics import MAX_EVENT_BYTES

#: What says that a record of the events topic is a CloudEvent in structured mode (Kafka protocol binding 1.0.2, 3.3.1).
CONTENT_TYPE = "content-type"
HEADERS = [(CONTENT_TYPE, b"application/cloudevents+json; charset=utf-8")]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record that has been accepted; it is sent with exactly this key and timestamp."""

    key: bytes
    value: bytes
    timestamp_ms: int


class _Subject(msgspec.Struct, gc=False):
    subject: str


_subject = msgspec.json.Decoder(_Subject)


def record_of(value: bytes, timestamp_ms: int, instruments: Mapping[str, Instrument]) -> Outgoing | Refusal:
    """Judge an event as the record it would become; `timestamp_ms` is milliseconds since 1970 UTC."""
    key = _key_of(value)
    verdict = accept(value, key, timestamp_ms, instruments)
    if isinstance(verdict, Refusal):
        return verdict
    return Outgoing(key, value, timestamp_ms)


def _key_of(value: bytes) -> bytes:
    """The subject; empty when there is none to be had, and then `accept` has a reason before it looks at the key."""
    if len(value) > MAX_EVENT_BYTES:
        return b""
    try:
        return _subject.decode(value).subject.encode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return b""
