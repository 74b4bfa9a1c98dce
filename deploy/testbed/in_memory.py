"""The pipeline without Kafka: the real agents' work and the real store sink, joined by lists.

In: event records in the order of the log. Out: the records that the agents send, rows in a SQL store.
Never: a second version of the agents; only Faust and the broker are missing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.pool import StaticPool

from consumers.store.sink import StoreSink
from consumers.store.tables import metadata
from deploy.testbed.builders import LATE_MS, Json, key_of, value_of
from deploy.testbed.records import PlainRecord
from pipeline.core.detection.prior import DEFAULT_PRIOR
from pipeline.core.therapist import changelog as therapist
from pipeline.runtime.health import Health
from pipeline.runtime.metrics import Meters
from pipeline.worker import therapist_agent as therapists
from pipeline.worker.case_agent import CaseAgent, CaseCodec
from pipeline.worker.faust.durable_producer import OutgoingRecord
from pipeline.worker.faust.partition_batch import PartitionBatch
from pipeline.worker.faust.paused_partitions import PausedPartitions
from pipeline.worker.faust.state_cache import StateCache
from pipeline.worker.therapist_agent import TherapistAgent
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import load_instruments
from schemas.topics import CASES, EVENTS, FLAGS, REJECTED, THERAPISTS

INSTRUMENTS: Mapping[str, Instrument] = load_instruments(None)


@dataclass
class InMemoryRecord:
    """A record as agents and sinks see it."""

    topic: str
    key: bytes | None
    value: bytes | None
    offset: int
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int = 0
    timestamp: int = LATE_MS


class Changelog:
    """A changelog topic as a list; `recover` restores states from it, as Faust does after a crash."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.records: list[PlainRecord] = []

    def append(self, out: OutgoingRecord) -> None:
        """Add a record."""
        self.records.append(PlainRecord(len(self.records), LATE_MS, out.key, out.value))

    def recover(self, states: StateCache) -> StateCache:
        """The states that a new process begins with."""
        states.recover(0, self.records)
        return states

    @property
    def newest(self) -> dict[bytes, bytes]:
        """The records that compaction keeps, without deleted ones."""
        last = {record.key: record.value for record in self.records}
        return {key: value for key, value in last.items() if key is not None and value is not None}


@dataclass
class Log:
    """Topics as lists."""

    topics: dict[str, list[InMemoryRecord]] = field(default_factory=lambda: defaultdict(list))

    def append(self, out: OutgoingRecord, timestamp_ms: int = LATE_MS) -> None:
        """Add a record."""
        records = self.topics[out.topic]
        records.append(InMemoryRecord(out.topic, out.key, out.value, len(records), tuple(out.headers or ())))
        records[-1].timestamp = timestamp_ms


class InMemoryPipeline:
    """The worker and the store for one partition."""

    def __init__(self, instruments: Mapping[str, Instrument] = INSTRUMENTS, max_decoded: int = 10_000) -> None:
        self.log = Log()
        self.instruments = instruments
        self.max_decoded = max_decoded
        self.case_changelog, self.therapist_changelog = Changelog("cases"), Changelog("therapists")
        self._make_agents()

    def _make_agents(self) -> None:
        codec, meters = CaseCodec(self.instruments, DEFAULT_PRIOR), Meters("test")
        self.case_states = self.case_changelog.recover(
            StateCache("cases", codec.decode, codec.encode, self.max_decoded)
        )
        self.therapist_states = self.therapist_changelog.recover(
            StateCache("therapists", therapists.decode, therapist.encode, self.max_decoded)
        )
        self._cases = CaseAgent(
            self.case_states,
            _ListProducer(self.log, self.case_changelog),  # type: ignore[arg-type]
            self.instruments,
            codec.models,
            meters,
            PausedPartitions(Health("test"), meters),
        )
        self._therapists = TherapistAgent(
            self.therapist_states,
            _ListProducer(self.log, self.therapist_changelog),  # type: ignore[arg-type]
            meters,
        )

    def crash(self) -> None:
        """Lose everything in memory except the changelogs."""
        self._make_agents()

    def feed(self, events: Iterable[Json], batch: int = 1) -> "InMemoryPipeline":
        """Send events and let both agents work, `batch` at a time."""
        return self.feed_records([(key_of(event), value_of(event)) for event in events], batch)

    def feed_records(self, records: Sequence[tuple[bytes | None, bytes | None]], batch: int = 1) -> "InMemoryPipeline":
        """As `feed`, for raw records."""
        for start in range(0, len(records), batch):
            arrived = []
            for key, value in records[start : start + batch]:
                self.log.append(OutgoingRecord(EVENTS, key, value))
                arrived.append(self.log.topics[EVENTS][-1])
            self.work(arrived)
        return self

    def work(self, records: Sequence[InMemoryRecord]) -> None:
        """One batch through both agents."""
        seen = len(self.log.topics[CASES])
        asyncio.run(self._cases.work([PartitionBatch(0, records)]))
        asyncio.run(self._therapists.work([PartitionBatch(0, self.log.topics[CASES][seen:])]))

    def store(self, engine: Engine, batch: int = 1_000_000) -> Engine:
        """Write everything on the log into a store with tables, at most `batch` records in a transaction."""
        sink = StoreSink(engine, self.instruments)
        for topic in (EVENTS, FLAGS, THERAPISTS, REJECTED):
            records = self.log.topics[topic]
            for start in range(0, len(records), batch):
                sink.write(records[start : start + batch])
        return engine


class _ListProducer:
    def __init__(self, log: Log, changelog: Changelog) -> None:
        self._log = log
        self._changelog = changelog

    async def deliver(self, records: Sequence[OutgoingRecord]) -> None:
        for record in records:
            if record.topic == self._changelog.name:
                self._changelog.append(record)
            else:
                self._log.append(record)


def memory_store() -> Engine:
    """An empty store in memory with the tables of the newest schema."""
    from sqlalchemy import create_engine

    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    metadata.create_all(engine)
    return engine
