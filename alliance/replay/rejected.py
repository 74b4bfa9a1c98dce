"""Refused records: listed, and sent again once the cause is fixed.

In: the store's `rejected` table. Out: rows for people, without content; records on `alliance.events.v1` with their
original bytes, key and headers (and a content type, if there was none).
Never: show a value, a key or a case; send anything of an erased case; mark a record as sent before the broker has it.

The cause is outside the record: an instrument was missing, a clock was wrong, this release did not know a type. If the
bytes of a record are wrong, its sender must send a corrected event.
"""

import base64
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError
from sqlalchemy import ColumnElement, Engine, Row, Select, and_, false, or_, select, update

from consumers.store.tables import erased_cases, rejected
from pipeline.core.acceptance import Refusal, accept
from pipeline.ingest.admission import CONTENT_TYPE, HEADERS
from pipeline.runtime.acknowledgements import ProducerRecord, send_all
from schemas.instruments.definition import Instrument
from schemas.refusals import SENTENCES, Reason
from schemas.topics import EVENTS

#: How many records are sent, acknowledged and marked before the next ones are sent.
BATCH = 200


class RejectedId(NamedTuple):
    """Where a refused record was in Kafka; written `topic/partition/offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def read(cls, text: str) -> "RejectedId":
        """From its written form; the topic may be left out. Raises ValueError."""
        *topic, partition, offset = text.split("/")
        return cls(topic[0] if topic else EVENTS, int(partition), int(offset))


class RejectedRow(NamedTuple):
    """A refused record as people may see it."""

    id: RejectedId
    reason: Reason
    detail: str
    sentence: str
    received_at: datetime
    sent_again_at: datetime | None


@dataclass(slots=True)
class ReplayResult:
    """What was sent again and what was not."""

    sent: int = 0
    #: Records that would be refused again, by today's reason; they were not sent.
    still_refused: Counter[Reason] = field(default_factory=Counter)
    #: Records of an erased case, or without any content left: never sent again.
    never_sent: int = 0
    #: The broker did not confirm; records that are not marked can be sent again.
    is_broker_unavailable: bool = False

    @property
    def closing_line(self) -> str:
        """For people."""
        still = self.still_refused.total()
        reasons = ", ".join(f"{reason.value} {count}" for reason, count in self.still_refused.most_common())
        done = f"sent {self.sent}, still refused {still}" + (f" ({reasons})" if reasons else "")
        done += f", never to be sent {self.never_sent}" if self.never_sent else ""
        return done + (". The broker does not confirm. Run this again later." if self.is_broker_unavailable else "")


def list_rejected(engine: Engine, reason: Reason | None = None, limit: int = 50) -> list[RejectedRow]:
    """The latest refused records, newest first."""
    columns = rejected.c
    query = select(
        columns.topic, columns.partition, columns.offset, columns.reason, columns.detail, columns.received_at,
        columns.sent_again_at,
    )  # fmt: skip
    if reason is not None:
        query = query.where(columns.reason == reason.value)
    query = query.order_by(columns.received_at.desc(), columns.partition, columns.offset.desc()).limit(limit)
    with engine.connect() as connection:
        return [_row_for_people(row) for row in connection.execute(query)]


def replay_rejected(
    engine: Engine,
    producer: KafkaProducer,
    instruments: Mapping[str, Instrument],
    *,
    ids: Collection[RejectedId] | None = None,
    reason: Reason | None = None,
    force: bool = False,
    clock_ms: Callable[[], int],
    topic: str = EVENTS,
) -> ReplayResult:
    """Send again each record that would now be accepted and has not been sent again yet.

    `ids` and `reason` narrow the choice. `force` also sends records that would be refused, or that were sent before.
    """
    result = ReplayResult()
    for rows in _batches(engine, _chosen(ids, reason, force)):
        erased = _erased(engine, rows)
        timestamp_ms = clock_ms()
        good = []
        for row in rows:
            if not _may_ever(row, erased):
                result.never_sent += 1
                continue
            verdict = accept(row.value, row.key, timestamp_ms, instruments)
            if isinstance(verdict, Refusal) and not force:
                result.still_refused[verdict.reason] += 1
            else:
                good.append(row)
        try:
            _send(producer, topic, good, timestamp_ms)
        except KafkaError:
            result.is_broker_unavailable = True
            return result
        _mark(engine, good, datetime.fromtimestamp(timestamp_ms / 1000, UTC))
        result.sent += len(good)
    return result


def _row_for_people(row: Any) -> RejectedRow:
    reason = Reason(row.reason)
    where = RejectedId(row.topic, row.partition, row.offset)
    return RejectedRow(where, reason, row.detail, SENTENCES[reason], row.received_at, row.sent_again_at)


def _chosen(ids: Collection[RejectedId] | None, reason: Reason | None, force: bool) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if ids is not None:
        conditions.append(or_(false(), *(_is(record_id) for record_id in ids)))
    if reason is not None:
        conditions.append(rejected.c.reason == reason.value)
    if not force:
        conditions.append(rejected.c.sent_again_at.is_(None))
    return conditions


def _is(record_id: RejectedId) -> ColumnElement[bool]:
    columns = rejected.c
    return and_(
        columns.topic == record_id.topic,
        columns.partition == record_id.partition,
        columns.offset == record_id.offset,
    )


def _batches(engine: Engine, conditions: Sequence[ColumnElement[bool]]) -> Iterator[Sequence[Row[Any]]]:
    """In the order of topic, partition and offset, from key to key, so that marking rows meanwhile changes nothing."""
    columns = rejected.c
    key = (columns.topic, columns.partition, columns.offset)
    query: Select[Any] = select(rejected).where(*conditions).order_by(*key).limit(BATCH)
    after: RejectedId | None = None
    while True:
        page = query if after is None else query.where(_is_after(after))
        with engine.connect() as connection:
            rows = connection.execute(page).all()
        if not rows:
            return
        yield rows
        after = RejectedId(rows[-1].topic, rows[-1].partition, rows[-1].offset)


def _is_after(last: RejectedId) -> ColumnElement[bool]:
    columns = rejected.c
    return or_(
        columns.topic > last.topic,
        and_(columns.topic == last.topic, columns.partition > last.partition),
        and_(columns.topic == last.topic, columns.partition == last.partition, columns.offset > last.offset),
    )


def _erased(engine: Engine, rows: Sequence[Row[Any]]) -> set[str]:
    """The digests of the erased cases among those of the rows."""
    digests = {digest for row in rows for digest in (row.key_digest, row.subject_digest) if digest}
    with engine.connect() as connection:
        query = select(erased_cases.c.case_digest).where(erased_cases.c.case_digest.in_(digests))
        return set(connection.scalars(query))


def _may_ever(row: Row[Any], erased: set[str]) -> bool:
    if row.reason == Reason.ERASED or (row.key is None and row.value is None):
        return False
    return not {row.key_digest, row.subject_digest} & erased


def _send(producer: KafkaProducer, topic: str, rows: Sequence[Row[Any]], timestamp_ms: int) -> None:
    """Return when all are acknowledged; raises `KafkaError`."""
    records = (ProducerRecord(topic, row.key, row.value, _headers(row), timestamp_ms) for row in rows)
    send_all(producer, records, lambda _: None)


def _headers(row: Row[Any]) -> list[tuple[str, bytes]]:
    """The received headers, and a content type if there was none. kafka-python needs a value, at least an empty one."""
    received = [(name, b"" if value is None else base64.b64decode(value)) for name, value in row.headers]
    return received if any(name.lower() == CONTENT_TYPE for name, _ in received) else [*received, *HEADERS]


def _mark(engine: Engine, rows: Sequence[Row[Any]], now: datetime) -> None:
    if not rows:
        return
    with engine.begin() as connection:
        for row in rows:
            where = _is(RejectedId(row.topic, row.partition, row.offset))
            connection.execute(update(rejected).where(where).values(sent_again_at=now))
