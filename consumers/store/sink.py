"""Rows and positions in one transaction.

In: records of the events, flags, therapists and rejected topics. Out: rows in SQL, upserted only upwards.
Never: write a row without its position, let an older version win, or keep anything of an erased case.

The outcome depends on the set of records alone: an event's identity is (case, source, id); of two contents under one
identity the greater digest wins and the case's derived rows are made again from the archive.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from kafka import TopicPartition
from sqlalchemy import Connection, Engine, delete, func, or_, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from consumers.loop import Overtaken, Record, Unavailable
from consumers.store import rows, tables
from consumers.store.bulk import one_of, upsert
from consumers.store.rows import Row
from pipeline.core.acceptance import Accepted, Refusal, accept
from schemas.codec import decode_flag, decode_therapist
from schemas.events import CaseErased
from schemas.instruments.definition import Instrument
from schemas.topics import EVENTS, FLAGS, REJECTED, THERAPISTS

log = logging.getLogger(__name__)

TOPICS = (EVENTS, FLAGS, THERAPISTS, REJECTED)
#: The columns of `rejected` that an erasure looks at.
DIGESTS = ("key_digest", "subject_digest")
#: Number of the advisory lock around the marks of erased cases.
MARKS_LOCK = 7_238_001
#: Classes of SQLSTATE that waiting may mend: connection, transaction rolled back, resources, state, operator, system.
PASSING = ("08", "40", "53", "55", "57", "58")
_DERIVED = {table.name: table for table in tables.DERIVED_TABLES}


class StoreSink:
    """The sink of the store process."""

    part = "database"

    def __init__(self, engine: Engine, instruments: Mapping[str, Instrument]) -> None:
        self._engine = engine
        self._instruments = instruments

    def positions(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where the store stands in each of these partitions."""
        wanted = {(one.topic, one.partition) for one in partitions}
        with _telling_an_outage(), self._engine.connect() as connection:
            known = connection.execute(select(tables.positions)).all()
        return {
            TopicPartition(row.topic, row.partition): row.next_offset
            for row in known
            if (row.topic, row.partition) in wanted
        }

    def take(self, records: Sequence[Record]) -> None:
        """All of it or nothing."""
        with _telling_an_outage(), self._engine.begin() as connection:
            fresh = self._move(connection, records)
            _Batch(connection, self._instruments).write(fresh)

    def pass_over(self, partition: TopicPartition, position: int, beginning: int) -> None:
        """Stand behind a gap."""
        with _telling_an_outage(), self._engine.begin() as connection:
            _compare_and_move(connection, (partition.topic, partition.partition), position, beginning)

    def _move(self, connection: Connection, records: Sequence[Record]) -> list[Record]:
        """Move the positions forward; the records that lie at or after where the store stood."""
        known = {(row.topic, row.partition): row.next_offset for row in connection.execute(select(tables.positions))}
        fresh = [one for one in records if one.offset >= known.get((one.topic, one.partition), 0)]
        for where, last in {(one.topic, one.partition): one.offset for one in fresh}.items():
            _compare_and_move(connection, where, known.get(where), last + 1)
        return fresh


def _compare_and_move(connection: Connection, where: tuple[str, int], stood: int | None, next_offset: int) -> None:
    """Of two processes that believe to own a partition only one gets through."""
    topic, partition = where
    row = {"topic": topic, "partition": partition, "next_offset": next_offset}
    if stood is None:
        moved = upsert(connection, tables.positions, [row])
    else:
        statement = (
            update(tables.positions)
            .where(
                tables.positions.c.topic == topic,
                tables.positions.c.partition == partition,
                tables.positions.c.next_offset == stood,
            )
            .values(next_offset=next_offset)
        )
        moved = connection.execute(statement).rowcount
    if moved != 1:
        raise Overtaken


class _Batch:
    """The rows of one transaction."""

    def __init__(self, connection: Connection, instruments: Mapping[str, Instrument]) -> None:
        self._connection = connection
        self._instruments = instruments

    def write(self, records: Iterable[Record]) -> None:
        """Topic by topic; within a topic in the order of the log."""
        by_topic: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_topic[record.topic].append(record)
        self._events(by_topic[EVENTS])
        self._flags(by_topic[FLAGS])
        self._therapists(by_topic[THERAPISTS])
        self._rejected(by_topic[REJECTED])

    def _events(self, records: list[Record]) -> None:
        gathered: list[tuple[Accepted, Row]] = []
        for record in records:
            verdict = accept(record.value, record.key, record.timestamp, self._instruments)
            if isinstance(verdict, Refusal):
                continue
            if isinstance(verdict.event, CaseErased):
                self._archive(gathered)
                gathered = []
                self._erase(verdict.event.subject, verdict.event.time)
                continue
            body = record.value or b""
            gathered.append((verdict, rows.event_row(verdict, body, record.partition, record.offset, record.timestamp)))
        self._archive(gathered)

    def _archive(self, gathered: list[tuple[Accepted, Row]]) -> None:
        """New events into the archive and their derived rows; a changed content makes its case's rows again."""
        erased = self._erased(row["case_id"] for _, row in gathered)
        newest: dict[str, tuple[Accepted, Row]] = {}
        contested: set[str] = set()
        for one in gathered:
            row = one[1]
            if row["case_id"] in erased:
                continue
            other = newest.setdefault(row["event_key"], one)[1]
            if other["digest"] != row["digest"]:
                contested.add(row["case_id"])
                if other["digest"] < row["digest"]:
                    newest[row["event_key"]] = one
        fresh = [row for _, row in newest.values()]
        if upsert(self._connection, tables.events, fresh) < len(fresh):
            contested |= self._settle(newest)
        self._derive(one for one in newest.values() if one[1]["case_id"] not in contested)
        for case_id in sorted(contested):
            self._make_again(case_id)

    def _settle(self, newest: dict[str, tuple[Accepted, Row]]) -> set[str]:
        """Of events that the archive knew with another content keep the greater digest; the cases that it changed.

        What the archive knew just so, or knows better, is left out of `newest`.
        """
        key, digest = tables.events.c.event_key, tables.events.c.digest
        known = self._connection.execute(select(key, digest).where(one_of(self._connection, key, newest))).all()
        risen = []
        for row in known:
            mine = newest[row.event_key][1]
            if row.digest < mine["digest"]:
                risen.append(mine)
            elif row.digest > mine["digest"]:
                del newest[row.event_key]
        upsert(self._connection, tables.events, risen, "digest")
        return {row["case_id"] for row in risen}

    def _derive(self, news: Iterable[tuple[Accepted, Row]]) -> None:
        by_table: dict[str, list[Row]] = defaultdict(list)
        for accepted, row in news:
            name, derived = rows.derived_row(accepted, row)
            by_table[name].append(derived)
        for name, derived_rows in by_table.items():
            rising = ("revision", "digest") if name == "checkins" else ()
            upsert(self._connection, _DERIVED[name], derived_rows, *rising)

    def _make_again(self, case_id: str) -> None:
        """Everything derived from a case's archive, from scratch."""
        for table in tables.DERIVED_TABLES:
            self._connection.execute(delete(table).where(table.c.case_id == case_id))
        archived = self._connection.execute(select(tables.events).where(tables.events.c.case_id == case_id)).all()
        news = []
        for row in archived:
            verdict = accept(row.body, row.case_id.encode(), row.kafka_timestamp_ms, self._instruments)
            if isinstance(verdict, Accepted):
                news.append((verdict, dict(row._mapping)))
        self._derive(news)

    def _erased(self, case_ids: Iterable[str]) -> set[str]:
        """Those of the cases that have been erased."""
        by_digest = {rows.case_digest(case_id): case_id for case_id in set(case_ids)}
        return {by_digest[digest] for digest in self._marked(by_digest)}

    def _marked(self, digests: Iterable[str]) -> set[str]:
        """Those of the digests that mark an erased case."""
        column, wanted = tables.erased_cases.c.case_digest, list(digests)
        if not wanted:
            return set()
        return set(self._connection.scalars(select(column).where(one_of(self._connection, column, wanted))))

    def _erase(self, case_id: str, at: datetime) -> None:
        """Delete every row of a case; only a mark stays."""
        self._lock_marks(is_erasing=True)
        mark = {"case_digest": rows.case_digest(case_id), "erased_at": at}
        upsert(self._connection, tables.erased_cases, [mark])
        for table in tables.CASE_TABLES:
            self._connection.execute(delete(table).where(table.c.case_id == case_id))
        digest, refused = mark["case_digest"], tables.rejected
        self._connection.execute(
            delete(refused).where(or_(refused.c.key_digest == digest, refused.c.subject_digest == digest))
        )

    def _lock_marks(self, is_erasing: bool) -> None:
        """Keep erasures of one store process and the flags and refusals of another apart (PostgreSQL only).

        Without it a row could be written while another transaction erases its case, unseen by both.
        """
        if self._connection.dialect.name == "postgresql":
            lock = func.pg_advisory_xact_lock if is_erasing else func.pg_advisory_xact_lock_shared
            self._connection.execute(select(lock(MARKS_LOCK)))

    def _flags(self, records: list[Record]) -> None:
        snapshots = [decode_flag(record.value) for record in records if record.value is not None]
        if snapshots:
            self._lock_marks(is_erasing=False)
        erased = self._erased(flag.case_id for flag in snapshots)
        kept = [rows.flag_row(flag) for flag in snapshots if flag.case_id not in erased]
        upsert(self._connection, tables.flag_changes, kept)
        upsert(self._connection, tables.flags, kept, "version")
        gone = [(record.key or b"").decode() for record in records if record.value is None]
        for table in (tables.flags, tables.flag_changes):
            if gone:
                self._connection.execute(delete(table).where(one_of(self._connection, table.c.flag_id, gone)))

    def _therapists(self, records: list[Record]) -> None:
        summaries = [decode_therapist(record.value) for record in records if record.value is not None]
        upsert(self._connection, tables.therapists, [rows.therapist_row(one) for one in summaries], "version")

    def _rejected(self, records: list[Record]) -> None:
        refused = [rows.rejected_row(one.key, one.value, one.headers) for one in records]
        if refused:
            self._lock_marks(is_erasing=False)
        erased = self._marked({row[name] for row in refused for name in DIGESTS if row[name]})
        for row in refused:
            if any(row[name] in erased for name in DIGESTS):
                row.update(dict.fromkeys(("key", "value", *DIGESTS)), headers=[])
        upsert(self._connection, tables.rejected, refused)


@contextmanager
def _telling_an_outage() -> Iterator[None]:
    """Raises `Unavailable` for what waiting may mend."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise _unavailable(error) from error


def _unavailable(error: OperationalError | InterfaceError) -> Unavailable:
    """The error when waiting may help; raises it when it is a bug, which must not look like an outage."""
    state = getattr(error.orig, "sqlstate", None)
    if state is not None and not state.startswith(PASSING):
        raise error
    log.debug("database error", exc_info=error)
    return Unavailable(StoreSink.part, f"the database does not answer ({type(error).__name__})")
