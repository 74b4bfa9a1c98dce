"""Writes rows and positions in one transaction.

In: records of the events, flags, therapists and rejected topics. Out: rows in SQL; a row is replaced only by a higher
version of it.
Never: write a row without its position, let an older version win, or keep anything of an erased case.

The outcome depends only on the set of records, not on their order. An event's identity is (case, source, id). If one
identity came with two contents, the content with the greater digest wins, and the case's derived rows are built again
from the archive.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from kafka import TopicPartition
from sqlalchemy import Connection, Engine, delete, func, or_, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from consumers.sink import ConsumerRecord, PositionConflict, Unavailable
from consumers.store import rows, tables
from consumers.store.bulk import is_any_of, upsert
from consumers.store.rows import Row
from pipeline.core.acceptance import Accepted, Refusal, accept
from schemas.codec import decode_flag, decode_therapist
from schemas.events import CaseErased
from schemas.instruments.definition import Instrument
from schemas.topics import EVENTS, FLAGS, REJECTED, THERAPISTS

log = logging.getLogger(__name__)

TOPICS = (EVENTS, FLAGS, THERAPISTS, REJECTED)
#: The columns of `rejected` by which an erasure finds its rows.
DIGESTS = ("key_digest", "subject_digest")
#: PostgreSQL's advisory locks are known by a number; this one, which nothing else here uses, is for the marks of
#: erased cases.
MARKS_LOCK = 7_238_001
#: Classes of SQLSTATE where waiting may help: connection, transaction rolled back, resources, state, operator, system.
TRANSIENT_SQLSTATES = ("08", "40", "53", "55", "57", "58")
_DERIVED = {table.name: table for table in tables.DERIVED_TABLES}


OnWritten = Callable[[Sequence[ConsumerRecord]], None]


def _ignore(_: Sequence[ConsumerRecord]) -> None:
    """For callers who do not need to know what was written."""


class StoreSink:
    """The sink of the store process. `on_written` is called with each batch after its commit."""

    part = "database"

    def __init__(self, engine: Engine, instruments: Mapping[str, Instrument], on_written: OnWritten = _ignore) -> None:
        self._engine = engine
        self._instruments = instruments
        self._on_written = on_written

    def positions(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The next offset to read in each of these partitions that the store knows."""
        wanted = {(tp.topic, tp.partition) for tp in partitions}
        with _outage_as_unavailable(), self._engine.connect() as connection:
            known = connection.execute(select(tables.positions)).all()
        return {
            TopicPartition(row.topic, row.partition): row.next_offset
            for row in known
            if (row.topic, row.partition) in wanted
        }

    def write(self, records: Sequence[ConsumerRecord]) -> None:
        """Write the rows of all records and the new positions, or nothing."""
        with _outage_as_unavailable(), self._engine.begin() as connection:
            fresh = self._move_positions(connection, records)
            _Batch(connection, self._instruments).write(fresh)
        self._on_written(records)

    def skip(self, partition: TopicPartition, position: int, beginning: int) -> None:
        """Move the position from one side of a gap to the other."""
        with _outage_as_unavailable(), self._engine.begin() as connection:
            _compare_and_set(connection, (partition.topic, partition.partition), position, beginning)

    def _move_positions(self, connection: Connection, records: Sequence[ConsumerRecord]) -> list[ConsumerRecord]:
        """Move the positions forward. Returns the records that the store has not read before."""
        known = {(row.topic, row.partition): row.next_offset for row in connection.execute(select(tables.positions))}
        fresh = [record for record in records if record.offset >= known.get((record.topic, record.partition), 0)]
        for place, last in {(record.topic, record.partition): record.offset for record in fresh}.items():
            _compare_and_set(connection, place, known.get(place), last + 1)
        return fresh


def _compare_and_set(connection: Connection, place: tuple[str, int], expected: int | None, next_offset: int) -> None:
    """Move a position unless another process has moved it: if two believe that they own a partition, one succeeds."""
    topic, partition = place
    row = {"topic": topic, "partition": partition, "next_offset": next_offset}
    if expected is None:
        moved = upsert(connection, tables.positions, [row])
    else:
        statement = (
            update(tables.positions)
            .where(
                tables.positions.c.topic == topic,
                tables.positions.c.partition == partition,
                tables.positions.c.next_offset == expected,
            )
            .values(next_offset=next_offset)
        )
        moved = connection.execute(statement).rowcount
    if moved != 1:
        raise PositionConflict


class _Batch:
    """Writes the rows of one transaction."""

    def __init__(self, connection: Connection, instruments: Mapping[str, Instrument]) -> None:
        self._connection = connection
        self._instruments = instruments

    def write(self, records: Iterable[ConsumerRecord]) -> None:
        """Topic by topic, and within a topic in the order of its partitions."""
        by_topic: dict[str, list[ConsumerRecord]] = defaultdict(list)
        for record in records:
            by_topic[record.topic].append(record)
        self._write_events(by_topic[EVENTS])
        self._write_flags(by_topic[FLAGS])
        self._write_therapists(by_topic[THERAPISTS])
        self._write_rejected(by_topic[REJECTED])

    def _write_events(self, records: list[ConsumerRecord]) -> None:
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
        """Write new events and their derived rows. A case with an event of two contents has all its rows rebuilt."""
        erased = self._erased(row["case_id"] for _, row in gathered)
        newest: dict[str, tuple[Accepted, Row]] = {}
        contested: set[str] = set()
        for accepted, row in gathered:
            if row["case_id"] in erased:
                continue
            _, other = newest.setdefault(row["event_key"], (accepted, row))
            if other["digest"] != row["digest"]:
                contested.add(row["case_id"])
                if other["digest"] < row["digest"]:
                    newest[row["event_key"]] = (accepted, row)
        fresh = [row for _, row in newest.values()]
        if upsert(self._connection, tables.events, fresh) < len(fresh):
            contested |= self._resolve_conflicts(newest)
        self._derive((accepted, row) for accepted, row in newest.values() if row["case_id"] not in contested)
        for case_id in sorted(contested):
            self._rebuild_case(case_id)

    def _resolve_conflicts(self, newest: dict[str, tuple[Accepted, Row]]) -> set[str]:
        """Keep the content with the greater digest. Returns the cases whose archived content changed.

        Removes from `newest` each event of which the archive already had the winning content.
        """
        key, digest = tables.events.c.event_key, tables.events.c.digest
        known = self._connection.execute(select(key, digest).where(is_any_of(self._connection, key, newest))).all()
        replaced = []
        for row in known:
            mine = newest[row.event_key][1]
            if row.digest < mine["digest"]:
                replaced.append(mine)
            elif row.digest > mine["digest"]:
                del newest[row.event_key]
        upsert(self._connection, tables.events, replaced, "digest")
        return {row["case_id"] for row in replaced}

    def _derive(self, news: Iterable[tuple[Accepted, Row]]) -> None:
        """Write the rows that follow from these events."""
        by_table: dict[str, list[Row]] = defaultdict(list)
        for accepted, row in news:
            name, derived = rows.derived_row(accepted, row)
            by_table[name].append(derived)
        for name, derived_rows in by_table.items():
            version_columns = ("revision", "digest") if name == "checkins" else ()
            upsert(self._connection, _DERIVED[name], derived_rows, *version_columns)

    def _rebuild_case(self, case_id: str) -> None:
        """Delete the case's derived rows and write them again from the archive."""
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
        """The cases among these that have been erased."""
        by_digest = {rows.case_digest(case_id): case_id for case_id in set(case_ids)}
        return {by_digest[digest] for digest in self._marked(by_digest)}

    def _marked(self, digests: Iterable[str]) -> set[str]:
        """The digests among these that mark an erased case."""
        column, wanted = tables.erased_cases.c.case_digest, list(digests)
        if not wanted:
            return set()
        return set(self._connection.scalars(select(column).where(is_any_of(self._connection, column, wanted))))

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
        """Do not let one store process erase a case while another writes its flags or refusals (PostgreSQL only).

        Without the lock neither transaction would see the other, and a row of an erased case could remain.
        """
        if self._connection.dialect.name == "postgresql":
            lock = func.pg_advisory_xact_lock if is_erasing else func.pg_advisory_xact_lock_shared
            self._connection.execute(select(lock(MARKS_LOCK)))

    def _write_flags(self, records: list[ConsumerRecord]) -> None:
        snapshots = [decode_flag(record.value) for record in records if record.value is not None]
        if snapshots:
            self._lock_marks(is_erasing=False)
        erased = self._erased(flag.case_id for flag in snapshots)
        kept = [rows.flag_row(flag) for flag in snapshots if flag.case_id not in erased]
        upsert(self._connection, tables.flag_changes, kept)
        upsert(self._connection, tables.flags, kept, "version")
        deleted = [(record.key or b"").decode() for record in records if record.value is None]
        for table in (tables.flags, tables.flag_changes):
            if deleted:
                self._connection.execute(delete(table).where(is_any_of(self._connection, table.c.flag_id, deleted)))

    def _write_therapists(self, records: list[ConsumerRecord]) -> None:
        summaries = [decode_therapist(record.value) for record in records if record.value is not None]
        upsert(self._connection, tables.therapists, [rows.therapist_row(summary) for summary in summaries], "version")

    def _write_rejected(self, records: list[ConsumerRecord]) -> None:
        refused = [rows.rejected_row(record.key, record.value, record.headers) for record in records]
        if refused:
            self._lock_marks(is_erasing=False)
        erased = self._marked({row[name] for row in refused for name in DIGESTS if row[name]})
        for row in refused:
            if any(row[name] in erased for name in DIGESTS):
                row.update(dict.fromkeys(("key", "value", *DIGESTS)), headers=[])
        upsert(self._connection, tables.rejected, refused)


@contextmanager
def _outage_as_unavailable() -> Iterator[None]:
    """Turn a database error into `Unavailable` if waiting may help."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise _unavailable(error) from error


def _unavailable(error: OperationalError | InterfaceError) -> Unavailable:
    """The error as `Unavailable`. An error that waiting cannot cure is a bug and is raised as it is."""
    state = getattr(error.orig, "sqlstate", None)
    if state is not None and not state.startswith(TRANSIENT_SQLSTATES):
        raise error
    log.debug("database error", exc_info=error)
    return Unavailable(StoreSink.part, f"the database does not answer ({type(error).__name__})")
