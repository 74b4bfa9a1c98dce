"""The check that the gateway and `alliance send` make on each event before they send it.

In: the bytes of one CloudEvent and the sender's time. Out: the record to send, or its refusal.
Never: send; add a rule of its own. `accept` decides, with the same key and timestamp that the record will have.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from pipeline.core.acceptance import Refusal, accept
from schemas.instruments.definition import Instrument
from schemas.topics import MAX_EVENT_BYTES

#: The header that marks a record as a CloudEvent in structured mode (Kafka protocol binding 1.0.2, 3.3.1).
CONTENT_TYPE = "content-type"
HEADERS = [(CONTENT_TYPE, b"application/cloudevents+json; charset=utf-8")]


@dataclass(frozen=True, slots=True)
class AdmittedRecord:
    """A record that has been accepted; it is sent with exactly this key and timestamp."""

    key: bytes
    value: bytes
    timestamp_ms: int


class _Subject(msgspec.Struct, gc=False):
    subject: str


_subject = msgspec.json.Decoder(_Subject)


def admit(value: bytes, timestamp_ms: int, instruments: Mapping[str, Instrument]) -> AdmittedRecord | Refusal:
    """Check an event as the record that it would become; `timestamp_ms` is milliseconds since 1970 UTC."""
    key = _key_of(value)
    verdict = accept(value, key, timestamp_ms, instruments)
    if isinstance(verdict, Refusal):
        return verdict
    return AdmittedRecord(key, value, timestamp_ms)


def _key_of(value: bytes) -> bytes:
    """The subject; empty if it cannot be read: `accept` then finds another reason before it checks the key."""
    if len(value) > MAX_EVENT_BYTES:
        return b""
    try:
        return _subject.decode(value).subject.encode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return b""
