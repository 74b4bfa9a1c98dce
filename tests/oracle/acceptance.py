"""Section 1: what is accepted.

In: records of the log (key, value, Kafka timestamp in milliseconds), in its order. Out: the accepted events,
each with its content's digests and scores, the refused records with their reasons, the erased cases.
Never: the pipeline's own acceptance. `schemas.codec` is asked for one thing alone, the canonical form whose
digest decides between contents.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from schemas.codec import canonical, decode_event
from tests.oracle import shapes
from tests.oracle.instruments import Instrument, Scores

Record = tuple[bytes | None, bytes | None, int]

LARGEST = 64 * 1024
FIVE_MINUTES = 5 * 60 * 1_000_000


class Refused(Exception):
    """The record has no effect; the reason is one of the closed list."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Event:
    """An accepted event. `case_digest` decides between contents in a case, `store_digest` in the store."""

    case_id: str
    source: str
    id: str
    type: str
    at: int
    data: Mapping[str, Any]
    case_digest: str
    store_digest: str
    scores: Scores | None

    @property
    def place(self) -> str:
        """What decides between events of one instant and kind."""
        return hex_digest(8, self.source.encode(), self.id.encode())

    @property
    def checkin_id(self) -> str:
        """The id that a check-in has, or that a withdrawal names."""
        return self.data.get("checkin_id") or f"{self.source}#{self.id}"

    @property
    def key(self) -> str:
        """The identity, as the store writes it."""
        return hex_digest(16, self.case_id.encode(), self.source.encode(), self.id.encode())


@dataclass
class Log:
    """What the records come to. `refused` keeps the place of each refused record in the log, and its reason."""

    accepted: list[Event] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)


def hex_digest(size: int, *parts: bytes) -> str:
    """BLAKE2b of `size` bytes, of the parts with NULs between them."""
    return blake2b(b"\0".join(parts), digest_size=size).hexdigest()


def accept(records: Iterable[Record], instruments: Mapping[str, Instrument]) -> Log:
    """Every record's fate, in the order of the log."""
    log = Log()
    for place, (key, value, timestamp_ms) in enumerate(records):
        try:
            event = _read(key, value, timestamp_ms, instruments)
        except (Refused, shapes.Misshapen) as refusal:
            log.refused[place] = refusal.reason
        else:
            _take(log, place, event)
    return log


def cases_named(key: bytes | None, value: bytes | None) -> set[str]:
    """The cases that a refused record may be about: that of its key and that of its subject."""
    found = shapes.parse(value or b"")
    subject = found[0].get("subject") if found is not None and isinstance(found[0], dict) else None
    named = {subject} if isinstance(subject, str) else set()
    return named if key is None else named | {key.decode(errors="replace")}


def _take(log: Log, place: int, event: Event) -> None:
    if event.case_id not in log.erased:
        log.accepted.append(event)
        if event.type == shapes.ERASED:
            log.erased.add(event.case_id)
    elif event.type != shapes.ERASED:
        log.refused[place] = "erased"


def _read(key: bytes | None, value: bytes | None, timestamp_ms: int, instruments: Mapping[str, Instrument]) -> Event:
    if not value:
        raise Refused("empty")
    if len(value) > LARGEST:
        raise Refused("too-large")
    tree = shapes.read(value)
    if key != tree["subject"].encode():
        raise Refused("key-mismatch")
    at = shapes.instant(tree["time"])
    assert at is not None
    if at > timestamp_ms * 1000 + FIVE_MINUTES:
        raise Refused("time-in-future")
    data = tree.get("data") or {}
    scores = _scores(data, instruments) if tree["type"] == shapes.CHECKIN else None
    content = canonical(decode_event(value))
    return Event(
        tree["subject"],
        tree["source"],
        tree["id"],
        tree["type"],
        at,
        data,
        hex_digest(16, content)[:16],
        hex_digest(16, content),
        scores,
    )


def _scores(data: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> Scores:
    instrument = instruments.get(data["instrument"])
    if instrument is None:
        raise Refused("unknown-instrument")
    answers = {item: None if answer is None else float(answer) for item, answer in data["answers"].items()}
    problem = instrument.problem(answers)
    if problem is not None:
        raise Refused(problem)
    return instrument.scores(answers)
