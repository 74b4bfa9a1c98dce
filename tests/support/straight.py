"""The pipeline without Kafka: the real agents' work and the real store sink, joined by lists.

In: event records in log order. Out: what the agents emit, rows in a SQL store.
Never: a second version of the agents; only Faust and the broker are left out.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.pool import StaticPool

from consumers.store.sink import StoreSink
from consumers.store.tables import metadata
from pipeline.cases import Cases
from pipeline.core.prior import DEFAULT_PRIOR
from pipeline.edge.outbox import Out
from pipeline.meters import Meters
from pipeline.therapists import Therapists
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import load_instruments
from schemas.topics import CASES, EVENTS, FLAGS, REJECTED, THERAPISTS
from tests.support.builders import LATE_MS, Json, key_of, value_of

INSTRUMENTS: Mapping[str, Instrument] = load_instruments(None)


@dataclass
class StraightRecord:
    """A record as the agents (in seconds) and the sinks (in milliseconds) see it."""

    topic: str
    key: bytes | None
    value: bytes | None
    offset: int
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int = 0
    timestamp: Any = LATE_MS


@dataclass
class StraightEvent:
    """What `work` needs of a Faust event."""

    message: StraightRecord


class MemoryTable:
    """A state table whose changelog is a dict; `recovered` is a new one after a crash."""

    def __init__(self, changelog: dict[bytes, bytes | None] | None = None) -> None:
        self.changelog = changelog if changelog is not None else {}
        self._encoded = {key: value for key, value in self.changelog.items() if value is not None}
        self._live: dict[bytes, Any] = {}

    def live(self, partition: int) -> dict[bytes, Any]:
        """As in `StateTable`."""
        return self._live

    def take_encoded(self, partition: int, key: bytes) -> bytes | None:
        """As in `StateTable`."""
        return self._encoded.pop(key, None)

    def repairs(self) -> list[Out]:
        """As in `StateTable`: nothing to mend here."""
        return []

    def change(self, partition: int, key: bytes, version: int, state: bytes | None) -> Out:
        """As in `StateTable`."""
        return Out("changelog", key, state, partition)

    def recovered(self) -> "MemoryTable":
        """What a new process would find."""
        return MemoryTable(dict(self.changelog))


@dataclass
class Log:
    """Topics as lists; an outbox that appends to them."""

    topics: dict[str, list[StraightRecord]] = field(default_factory=lambda: defaultdict(list))
    changelogs: list[MemoryTable] = field(default_factory=list)

    def append(self, out: Out, timestamp_ms: int = LATE_MS) -> None:
        """One record more."""
        records = self.topics[out.topic]
        records.append(StraightRecord(out.topic, out.key, out.value, len(records), tuple(out.headers or ())))
        records[-1].timestamp = timestamp_ms


class Straight:
    """One partition's worth of the system."""

    def __init__(self, instruments: Mapping[str, Instrument] = INSTRUMENTS) -> None:
        self.log = Log()
        self.instruments = instruments
        self.case_table, self.therapist_table = MemoryTable(), MemoryTable()
        self._make_agents()

    def _make_agents(self) -> None:
        meters = Meters("test")
        self._cases = Cases(
            self.case_table,  # type: ignore[arg-type]
            _Outbox(self.log, self.case_table),  # type: ignore[arg-type]
            self.instruments,
            DEFAULT_PRIOR,
            meters,
        )
        self._therapists = Therapists(
            self.therapist_table,  # type: ignore[arg-type]
            _Outbox(self.log, self.therapist_table),  # type: ignore[arg-type]
            meters,
        )

    def crash(self) -> None:
        """Lose everything in memory; the changelogs stay."""
        self.case_table, self.therapist_table = self.case_table.recovered(), self.therapist_table.recovered()
        self._make_agents()

    def feed(self, events: Iterable[Json], batch: int = 1) -> "Straight":
        """Send events and let both agents work, `batch` at a time."""
        return self.feed_records([(key_of(event), value_of(event)) for event in events], batch)

    def feed_records(self, records: Sequence[tuple[bytes | None, bytes | None]], batch: int = 1) -> "Straight":
        """As `feed`, for raw records."""
        for start in range(0, len(records), batch):
            came = []
            for key, value in records[start : start + batch]:
                self.log.append(Out(EVENTS, key, value))
                came.append(self.log.topics[EVENTS][-1])
            self.work(came)
        return self

    def work(self, records: Sequence[StraightRecord]) -> None:
        """One batch through both agents."""
        seen = len(self.log.topics[CASES])
        asyncio.run(self._cases.work([_event(one) for one in records]))
        news = self.log.topics[CASES][seen:]
        asyncio.run(self._therapists.work([_event(one) for one in news]))

    def store(self, engine: Engine, batch: int = 1_000_000) -> Engine:
        """Put everything on the log into a store with tables, so many records in a transaction."""
        sink = StoreSink(engine, self.instruments)
        for topic in (EVENTS, FLAGS, THERAPISTS, REJECTED):
            records = self.log.topics[topic]
            for start in range(0, len(records), batch):
                sink.take(records[start : start + batch])
        return engine


class _Outbox:
    def __init__(self, log: Log, table: MemoryTable) -> None:
        self._log = log
        self._table = table

    async def deliver(self, records: Sequence[Out]) -> None:
        for record in records:
            if record.topic == "changelog":
                self._table.changelog[record.key or b""] = record.value
            else:
                self._log.append(record)


def _event(record: StraightRecord) -> Any:
    seconds = StraightRecord(
        record.topic, record.key, record.value, record.offset, record.headers, record.partition, record.timestamp / 1000
    )
    return StraightEvent(seconds)


def memory_store() -> Engine:
    """An empty store in memory with the tables that the migrations make."""
    from sqlalchemy import create_engine

    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    metadata.create_all(engine)
    return engine
