"""Records as senders send them, right ones and wrong ones: fixtures for every layer, and documentation.

In: the files beside this one. Out: `examples()`, records of the events topic, each with the verdict that it must get,
and `outgoing_examples()`, messages that the worker writes.
Never: an example that needs memory (`erased`), or one whose verdict changes with the day on which it is sent.

Each event type has a folder with `valid-<what>.json` and `invalid-<reason>--<what>.json`. A file is the record's value,
byte for byte. The key of all records of a folder is the subject of its `valid-minimal.json`. Records that cannot be a
file are made here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.codec import MAX_DEPTH, decode_event
from schemas.events import EVENT_TYPES
from schemas.refusals import Reason
from schemas.topics import MAX_EVENT_BYTES

#: The Kafka timestamp of every example: 3 March 2025, noon UTC. Any later one up to the year 2100 gives the same
#: verdicts, so a test on a broker with retention may take its own clock's.
SENT_AT_MS = 1_741_003_200_000

_FOLDER = Path(__file__).parent
_NAME = re.compile(r"(?P<is_valid>valid)-.+|invalid-(?P<reason>.+?)--.+")
_CHECKIN = "alliance.checkin.submitted.v1"


@dataclass(frozen=True, slots=True)
class Example:
    """A record of the events topic; `reason` is why it is refused, None when it is accepted."""

    name: str
    type: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class OutgoingExample:
    """A message that the worker writes; `schema` names its JSON Schema. A wrong one shows what readers may rely on."""

    name: str
    schema: str
    value: bytes
    is_valid: bool


def examples() -> Iterator[Example]:
    """Every record, by type and name; the accepted ones of each type first."""
    for event_type in EVENT_TYPES:
        key = key_of(event_type)
        yield from sorted(_stored(event_type, key), key=lambda example: (example.reason is not None, example.name))
    yield from _made(key_of(_CHECKIN))


def key_of(event_type: str) -> bytes:
    """The key of the records of a type."""
    return decode_event((_FOLDER / event_type / "valid-minimal.json").read_bytes()).subject.encode()


def outgoing_examples() -> Iterator[OutgoingExample]:
    """Every flag and summary, by schema and name."""
    for schema in ("flag", "case-summary", "therapist-summary"):
        for file in sorted((_FOLDER / schema).glob("*.json")):
            yield OutgoingExample(f"{schema}/{file.stem}", schema, file.read_bytes(), file.stem.startswith("valid-"))


def _stored(event_type: str, key: bytes) -> Iterator[Example]:
    for file in (_FOLDER / event_type).glob("*.json"):
        match = _NAME.fullmatch(file.stem)
        if match is None:
            raise ValueError(f"{file.name} does not say whether it is valid, or why not")
        reason = None if match["is_valid"] else Reason(match["reason"])
        yield Example(f"{event_type}/{file.stem}", event_type, key, file.read_bytes(), SENT_AT_MS, reason)


def _made(key: bytes) -> Iterator[Example]:
    """Records that are too big, too deep or too empty for a file."""
    event = (_FOLDER / _CHECKIN / "valid-minimal.json").read_bytes()

    def example(name: str, value: bytes | None, reason: Reason | None, key: bytes | None = key) -> Example:
        return Example(f"{_CHECKIN}/{name}", _CHECKIN, key, value, SENT_AT_MS, reason)

    yield example("valid-as-large-as-can-be", event.ljust(MAX_EVENT_BYTES), None)
    yield example("valid-as-deep-as-can-be", _nested(event, MAX_DEPTH), None)
    yield example("valid-many-brackets-in-a-text", _with_extra(event, "[{" * MAX_DEPTH), None)
    yield example("invalid-empty--no-value", None, Reason.EMPTY)
    yield example("invalid-empty--no-bytes", b"", Reason.EMPTY)
    yield example("invalid-too-large--one-byte-more", event.ljust(MAX_EVENT_BYTES + 1), Reason.TOO_LARGE)
    yield example("invalid-too-large--bytes-of-any-kind", b"\xff" * (MAX_EVENT_BYTES + 1), Reason.TOO_LARGE)
    yield example("invalid-too-deep--one-level-more", _nested(event, MAX_DEPTH + 1), Reason.TOO_DEEP)
    yield example("invalid-too-deep--opened-only", b"[" * 20_000, Reason.TOO_DEEP)
    yield example("invalid-key-mismatch--no-key", event, Reason.KEY_MISMATCH, None)
    yield example("invalid-key-mismatch--empty-key", event, Reason.KEY_MISMATCH, b"")
    yield example("invalid-key-mismatch--key-of-any-kind", event, Reason.KEY_MISMATCH, b"\xff\x00")


def _nested(event: bytes, depth: int) -> bytes:
    """The event with an extra field that brings it to this depth."""
    return event.replace(b"{", b'{"extra": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b",", 1)


def _with_extra(event: bytes, text: str) -> bytes:
    return event.replace(b"{", b'{"extra": ' + msgspec.json.encode(text) + b",", 1)
