"""Whether a record of the events topic is accepted: one pure function of the record.

In: value, key and Kafka timestamp of a record, and the instruments known here. Out: `Accepted` or `Refusal`.
Never: remember anything (`erased` alone needs memory, so `pipeline.core.case.changes` refuses it).

The gateway, the worker and the store all call `accept`, so with the same instruments they cannot disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.instants import SECOND_US, to_us
from pipeline.core.scoring import Scores, check_answers, score
from schemas.codec import Undecodable, decode_event
from schemas.events import CheckinSubmitted, Event
from schemas.instruments.definition import Instrument
from schemas.refusals import Reason
from schemas.topics import MAX_EVENT_BYTES

#: How far an event's time may be after the record's Kafka timestamp: the sender's clock may be ahead of the broker's.
MAX_LEAD_US = 5 * 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that counts. `at` is its time in microseconds; only a check-in has `scores`."""

    event: Event
    at: int
    scores: Scores | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that does not count. `detail` names a place, never a value."""

    reason: Reason
    detail: str


def accept(
    value: bytes | None, key: bytes | None, timestamp_ms: int, instruments: Mapping[str, Instrument]
) -> Accepted | Refusal:
    """Judge one record; `timestamp_ms` is its Kafka timestamp, milliseconds since 1970 UTC."""
    if value is None or not value:
        return Refusal(Reason.EMPTY, "no value")
    if len(value) > MAX_EVENT_BYTES:
        return Refusal(Reason.TOO_LARGE, f"over {MAX_EVENT_BYTES} bytes")
    try:
        event = decode_event(value)
    except Undecodable as error:
        return Refusal(error.reason, error.detail)
    if key is None or key != event.subject.encode():
        return Refusal(Reason.KEY_MISMATCH, "key is not the subject")
    at = to_us(event.time)
    if at > timestamp_ms * 1000 + MAX_LEAD_US:
        return Refusal(Reason.TIME_IN_FUTURE, "time")
    if isinstance(event, CheckinSubmitted):
        return _accept_checkin(event, at, instruments)
    return Accepted(event, at)


def _accept_checkin(event: CheckinSubmitted, at: int, instruments: Mapping[str, Instrument]) -> Accepted | Refusal:
    instrument = instruments.get(event.data.instrument)
    if instrument is None:
        return Refusal(Reason.UNKNOWN_INSTRUMENT, "data.instrument")
    problem = check_answers(instrument, event.data.answers)
    if problem is not None:
        return Refusal(Reason(problem[0]), problem[1])
    return Accepted(event, at, score(instrument, event.data.answers))
