"""The installation that a replay goes to: whether it is empty and keeps old records, and how much is left to process.

In: settings, the engine of its store. Out: a sentence if the replay must not begin; the number of unprocessed records.
Never: write to a topic or to the store.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from sqlalchemy import Engine, func, inspect, select

from consumers.store.tables import metadata, positions
from pipeline.runtime.kafka_clients import client_options
from pipeline.runtime.settings import Settings
from pipeline.runtime.topic_admin import topic_table
from schemas.topics import CASES, EVENTS, FLAGS, REJECTED, THERAPISTS

_NEXT_STEP = "Use another installation, or delete its topics and its database and run `alliance topics --for-replay`."
Offsets = dict[TopicPartition, int]


class Backlog(NamedTuple):
    """Records that worker and store have yet to process; `done` counts the processed ones and only rises."""

    done: int
    of_worker: int
    of_store: int

    @property
    def is_empty(self) -> bool:
        """Whether worker and store have processed everything."""
        return not self.of_worker and not self.of_store


def obstacle(settings: Settings, store: Engine) -> str | None:
    """Why the replay must not begin, with what to do; None if the installation is empty and ready."""
    with _admin(settings) as admin:
        absent = sorted(topic_table(settings).keys() - set(admin.list_topics()))
        if absent:
            return f"These topics do not exist: {', '.join(absent)}. Create them with `alliance topics --for-replay`."
        if _retention_of(admin, EVENTS) != "-1":
            return f"The retention of {EVENTS} would delete old records at once. {_NEXT_STEP}"
    with _reader(settings) as reader:
        full = sorted({tp.topic for tp, end in _ends(reader, topic_table(settings)).items() if end > 0})
    if full:
        return f"The log is not empty ({', '.join(full)}). A replay needs an empty installation. {_NEXT_STEP}"
    rows = [name for name in _tables(store) if _holds_rows(store, name)]
    if rows:
        return f"The store is not empty ({', '.join(rows)}). A replay needs an empty installation. {_NEXT_STEP}"
    return None


def backlog(settings: Settings, store: Engine) -> Backlog:
    """What worker and store have yet to process, asked in the order of the flow: `is_empty` is never true too early.

    The worker commits an offset only after the outputs of its record are in Kafka
    (`pipeline.worker.faust.group_commit`).
    """
    with _reader(settings, group_id=settings.app_id) as reader:
        read, to_read = 0, 0
        for topic in (EVENTS, CASES):
            ends = _ends(reader, [topic])
            committed = {tp: reader.committed(tp) or 0 for tp in ends}
            read += sum(committed.values())
            to_read += sum(max(0, end - committed[tp]) for tp, end in ends.items())
        ends = _ends(reader, (EVENTS, FLAGS, THERAPISTS, REJECTED))
    stored = _positions(store)
    to_store = sum(max(0, end - stored.get(tp, 0)) for tp, end in ends.items())
    return Backlog(read + sum(stored.values()), to_read, to_store)


def _positions(store: Engine) -> Offsets:
    """How far the store has read; empty while it has no tables."""
    if positions.name not in _tables(store):
        return {}
    with store.connect() as connected:
        return {
            TopicPartition(row.topic, row.partition): row.next_offset for row in connected.execute(select(positions))
        }


def _tables(store: Engine) -> list[str]:
    existing = set(inspect(store).get_table_names())
    return [name for name in metadata.tables if name in existing]


def _holds_rows(store: Engine, name: str) -> bool:
    with store.connect() as connected:
        return bool(connected.scalar(select(func.count()).select_from(metadata.tables[name])))


def _retention_of(admin: KafkaAdminClient, topic: str) -> str | None:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": ""})
    found = admin.describe_configs([resource], config_filter="all")
    value: str | None = found["topic"][topic]["retention.ms"]["value"]
    return value


def _ends(reader: KafkaConsumer, topics: Iterable[str]) -> Offsets:
    partitions = [
        TopicPartition(topic, number) for topic in topics for number in reader.partitions_for_topic(topic) or ()
    ]
    return dict(reader.end_offsets(partitions))


@contextmanager
def _admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(**client_options(settings))
    try:
        yield admin
    finally:
        admin.close()


@contextmanager
def _reader(settings: Settings, **options: Any) -> Iterator[KafkaConsumer]:
    """A consumer that only asks for offsets; it joins no group."""
    reader = KafkaConsumer(**client_options(settings), enable_auto_commit=False, **options)
    try:
        yield reader
    finally:
        reader.close()
