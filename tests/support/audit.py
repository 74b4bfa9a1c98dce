"""Whether the store holds every record before its positions: the positions in SQL, compared with the log.

In: a system. Out: the places of records that the store has skipped.
Never: the pipeline's own judgement of what is accepted (the oracle is asked); a complaint about a record that the store
has not reached yet.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from consumers.store import tables
from deploy.testbed.system import System
from schemas import refusals
from schemas.codec import decode_flag, decode_therapist
from schemas.topics import EVENTS, FLAGS, REJECTED, THERAPISTS
from tests.oracle.acceptance import accept
from tests.oracle.instruments import load
from tests.oracle.shapes import ERASED

POLL_MS = 200
INSTRUMENTS = load()


class Place(NamedTuple):
    """The place of a record in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Rows:
    """The rows of a store at one instant that correspond to records."""

    positions: dict[TopicPartition, int]
    events: set[str]
    rejected: set[tuple[str, int, int]]
    flag_changes: set[tuple[str, int]]
    therapists: dict[str, int]


class Audit:
    """Each call looks only at what the store has read since the last call that found no gap."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._audited: dict[TopicPartition, int] = {}
        #: The cases whose rows an erasure has deleted.
        self._erased: set[str] = set()
        self._deleted_flags: set[str] = set()
        self.audited_count = 0

    def gaps(self) -> list[Place]:
        """Records before the store's positions that have left no trace in it."""
        rows = self._rows()
        if rows is None:
            return []
        read = list(self._read(rows.positions))
        by_topic: dict[str, list[Any]] = {
            topic: [record for record in read if record.topic == topic] for topic in TRACES
        }
        self._note_erasures(by_topic)
        found = [
            Place(record.topic, record.partition, record.offset)
            for topic, records in by_topic.items()
            for record in TRACES[topic](self, rows, records)
        ]
        if not found:
            self._audited = rows.positions
            self.audited_count += len(read)
        return sorted(found)

    def _rows(self) -> Rows | None:
        """One snapshot; None before there is a schema."""
        engine = self._system.engine()
        try:
            with engine.connect() as connection:
                return _rows_of(connection)
        except DBAPIError:
            return None
        finally:
            engine.dispose()

    def _read(self, ends: dict[TopicPartition, int]) -> Iterator[Any]:
        """The records between the last audit and the positions."""
        with closing(KafkaConsumer(bootstrap_servers=self._system.bootstrap, enable_auto_commit=False)) as consumer:
            consumer.assign(list(ends))
            beginnings = consumer.beginning_offsets(list(ends))
            for partition in ends:
                consumer.seek(partition, max(self._audited.get(partition, 0), beginnings[partition]))
            while any(consumer.position(one) < end for one, end in ends.items()):
                for partition, batch in consumer.poll(timeout_ms=POLL_MS).items():
                    yield from (one for one in batch if one.offset < ends[partition])

    def _note_erasures(self, by_topic: dict[str, list[Any]]) -> None:
        accepted = accept(_as_oracle(by_topic[EVENTS]), INSTRUMENTS).accepted
        self._erased |= {event.case_id for event in accepted if event.type == ERASED}
        self._deleted_flags |= {one.key.decode() for one in by_topic[FLAGS] if one.value is None}

    def _events(self, rows: Rows, records: list[Any]) -> Iterator[Any]:
        for record in records:
            for event in accept(_as_oracle([record]), INSTRUMENTS).accepted:
                if event.case_id not in self._erased and event.key not in rows.events:
                    yield record

    def _flags(self, rows: Rows, records: list[Any]) -> Iterator[Any]:
        for record in records:
            flag = None if record.value is None else decode_flag(record.value)
            if flag is None or flag.flag_id in self._deleted_flags or flag.case_id in self._erased:
                continue
            if (flag.flag_id, flag.version) not in rows.flag_changes:
                yield record

    def _therapists(self, rows: Rows, records: list[Any]) -> Iterator[Any]:
        for record in records:
            summary = decode_therapist(record.value)
            if rows.therapists.get(summary.therapist_id, -1) < summary.version:
                yield record

    def _rejected(self, rows: Rows, records: list[Any]) -> Iterator[Any]:
        for record in records:
            said = dict(record.headers)
            place = said[refusals.HEADER_PARTITION], said[refusals.HEADER_OFFSET]
            if not self._erased and (EVENTS, *(int(one) for one in place)) not in rows.rejected:
                yield record


#: Per topic: which of the records have left no trace.
TRACES: dict[str, Callable[[Audit, Rows, list[Any]], Iterable[Any]]] = {
    EVENTS: Audit._events,
    FLAGS: Audit._flags,
    THERAPISTS: Audit._therapists,
    REJECTED: Audit._rejected,
}


def _rows_of(connection: Connection) -> Rows:
    """Positions first: rows that come later are then no gap, whatever the isolation."""
    positions = connection.execute(select(tables.positions)).all()
    changes, rejected, therapists = tables.flag_changes.c, tables.rejected.c, tables.therapists.c
    return Rows(
        positions={TopicPartition(row.topic, row.partition): row.next_offset for row in positions},
        events=set(connection.scalars(select(tables.events.c.event_key))),
        rejected=_set_of(connection, rejected.topic, rejected.partition, rejected.offset),
        flag_changes=_set_of(connection, changes.flag_id, changes.version),
        therapists=dict(_set_of(connection, therapists.therapist_id, therapists.version)),
    )


def _set_of(connection: Connection, *columns: Any) -> set[Any]:
    return {tuple(row) for row in connection.execute(select(*columns))}


def _as_oracle(records: Iterable[Any]) -> list[tuple[bytes | None, bytes | None, int]]:
    return [(one.key, one.value, one.timestamp) for one in records]
