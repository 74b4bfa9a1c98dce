"""Rows and positions in one transaction.

In: records of the events, flags, therapists and rejected topics. Out: rows in SQL, upserted only upwards.
Never: write a row without its position, let an older version win, or keep anything of an erased case.

The outcome depends on the set of records alone: an event's identity is (case, source, id); of two contents under one
identity the greater digest wins and the case's derived rows are made again from the archive.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kafka import TopicPartition
from sqlalchemy import Connection, Engine, Table, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, OperationalError

from consumers.loop import Overtaken, Record, Unavailable
from consumers.store import rows, tables
from consumers.store.rows import Row
from pipeline.core.acceptance import Accepted, Refused, accept
from schemas.codec import decode_flag, decode_therapist
from schemas.events import CaseErased
from schemas.instruments.definition import Instrument
from schemas.topics import EVENTS, FLAGS, REJECTED, THERAPISTS

log = logging.getLogger(__name__)

TOPICS = (EVENTS, FLAGS, THERAPISTS, REJECTED)
_CHUNK = 500
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
        try:
            with self._engine.connect() as connection:
                known = connection.execute(select(tables.positions)).all()
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error
        return {
            TopicPartition(row.topic, row.partition): row.next_offset
            for row in known
            if (row.topic, row.partition) in wanted
        }

    def take(self, records: Sequence[Record]) -> None:
        """All of it or nothing."""
        try:
            with self._engine.begin() as connection:
                fresh = self._move(connection, records)
                _Batch(connection, self._instruments).write(fresh)
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error

    def _move(self, connection: Connection, records: Sequence[Record]) -> list[Record]:
        """Move the positions forward; the records that lie at or after where the store stood."""
        known = {(row.topic, row.partition): row.next_offset for row in connection.execute(select(tables.positions))}
        by_partition: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for record in records:
            if record.offset >= known.get((record.topic, record.partition), 0):
                by_partition[record.topic, record.partition].append(record)
        for where, batch in by_partition.items():
            _compare_and_move(connection, where, known.get(where), batch[-1].offset + 1)
        return [record for batch in by_partition.values() for record in batch]


def _compare_and_move(connection: Connection, where: tuple[str, int], stood: int | None, next_offset: int) -> None:
    """Of two processes that believe to own a partition only one gets through."""
    topic, partition = where
    row = {"topic": topic, "partition": partition, "next_offset": next_offset}
    if stood is None:
        statement = _insert(connection, tables.positions).values(row).on_conflict_do_nothing()
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
    # For an INSERT only this option makes the number of rows known on every driver.
    if connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount != 1:
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
            if isinstance(verdict, Refused):
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
        erased = self._erased({row["case_id"] for _, row in gathered})
        newest: dict[str, tuple[Accepted, Row]] = {}
        contested: set[str] = set()
        known = self._known_digests([row["event_key"] for _, row in gathered])
        for accepted, row in gathered:
            if rows.case_digest(row["case_id"]) in erased:
                continue
            digest = (
                newest[row["event_key"]][1]["digest"] if row["event_key"] in newest else known.get(row["event_key"])
            )
            if digest is None or digest < row["digest"]:
                newest[row["event_key"]] = accepted, row
                if digest is not None:
                    contested.add(row["case_id"])
        self._upsert(tables.events, [row for _, row in newest.values()], rising="digest")
        self._derive([one for one in newest.values() if one[1]["case_id"] not in contested])
        for case_id in sorted(contested):
            self._make_again(case_id)

    def _derive(self, news: Iterable[tuple[Accepted, Row]]) -> None:
        by_table: dict[str, list[Row]] = defaultdict(list)
        for accepted, row in news:
            name, derived = rows.derived_row(accepted, row)
            by_table[name].append(derived)
        for name, derived_rows in by_table.items():
            if name == "checkins":
                self._upsert(tables.checkins, derived_rows, rising="revision", then="digest")
            else:
                self._upsert(_DERIVED[name], derived_rows)

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

    def _known_digests(self, keys: list[str]) -> dict[str, str]:
        known: dict[str, str] = {}
        columns = tables.events.c
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            query = select(columns.event_key, columns.digest).where(columns.event_key.in_(chunk))
            known.update((row.event_key, row.digest) for row in self._connection.execute(query))
        return known

    def _erased(self, case_ids: Iterable[str]) -> set[str]:
        """Digests of those of the cases that have been erased."""
        return self._marked({rows.case_digest(case_id) for case_id in case_ids})

    def _marked(self, wanted: set[str]) -> set[str]:
        digests = sorted(wanted)
        found: set[str] = set()
        column = tables.erased_cases.c.case_digest
        for start in range(0, len(digests), _CHUNK):
            query = select(column).where(column.in_(digests[start : start + _CHUNK]))
            found.update(self._connection.scalars(query))
        return found

    def _erase(self, case_id: str, at: datetime) -> None:
        """Delete every row of a case; only a mark stays."""
        self._lock_marks(is_erasing=True)
        mark = {"case_digest": rows.case_digest(case_id), "erased_at": at}
        self._connection.execute(_insert(self._connection, tables.erased_cases).values(mark).on_conflict_do_nothing())
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
        erased = self._erased({flag.case_id for flag in snapshots})
        kept = [rows.flag_row(flag) for flag in snapshots if rows.case_digest(flag.case_id) not in erased]
        self._upsert(tables.flag_changes, kept)
        self._upsert(tables.flags, kept, rising="version")
        gone = [(record.key or b"").decode() for record in records if record.value is None]
        for table in (tables.flags, tables.flag_changes):
            if gone:
                self._connection.execute(delete(table).where(table.c.flag_id.in_(gone)))

    def _therapists(self, records: list[Record]) -> None:
        summaries = [decode_therapist(record.value) for record in records if record.value is not None]
        self._upsert(tables.therapists, [rows.therapist_row(one) for one in summaries], rising="version")

    def _rejected(self, records: list[Record]) -> None:
        refused = [rows.rejected_row(one.key, one.value, one.headers) for one in records]
        if refused:
            self._lock_marks(is_erasing=False)
        erased = self._marked({row[name] for row in refused for name in DIGESTS if row[name]})
        for row in refused:
            if any(row[name] in erased for name in DIGESTS):
                row.update(dict.fromkeys(("key", "value", *DIGESTS)), headers=[])
        self._upsert(tables.rejected, refused)

    def _upsert(self, table: Table, new: list[Row], *, rising: str | None = None, then: str | None = None) -> None:
        """Insert; where the key is known replace only by a higher `rising` (then `then`), or not at all."""
        if not new:
            return
        statement = _insert(self._connection, table)
        if rising is None:
            statement = statement.on_conflict_do_nothing()
        else:
            order = [name for name in (rising, then) if name]
            statement = statement.on_conflict_do_update(
                index_elements=list(table.primary_key.columns),
                set_={
                    column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key
                },
                where=tuple_(*(table.c[name] for name in order))
                < tuple_(*(statement.excluded[name] for name in order)),
            )
        self._connection.execute(statement, new)


def _insert(connection: Connection, table: Table) -> Any:
    """An insert that knows `ON CONFLICT` in the connection's dialect."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        return sqlite.insert(table)
    if dialect == "postgresql":
        return postgresql.insert(table)
    return insert(table)


def _unavailable(error: OperationalError | InterfaceError) -> Unavailable:
    """The error when waiting may help; raises it when it is a bug, which must not look like an outage."""
    state = getattr(error.orig, "sqlstate", None)
    if state is not None and not state.startswith(PASSING):
        raise error
    log.debug("database error", exc_info=error)
    return Unavailable(StoreSink.part, f"the database does not answer ({type(error).__name__})")
