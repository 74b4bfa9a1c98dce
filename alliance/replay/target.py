"""An installation as a replay sees it: whether it is empty, whether it keeps old records, how far it has come.

In: settings, the engine of its store. Out: one sentence that says what stands in the way; how much is left to do.
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

_MAKE_ANEW = "delete its topics and its database, then `alliance topics --for-replay`"
Offsets = dict[TopicPartition, int]


class Left(NamedTuple):
    """What is still to be done. `done` only ever rises: records that have been gone through so far."""

    done: int
    by_worker: int
    by_store: int

    @property
    def is_nothing(self) -> bool:
        """Whether worker and store have gone through everything."""
        return not self.by_worker and not self.by_store


def obstacle(settings: Settings, store: Engine) -> str | None:
    """Why nothing may be replayed into this installation, with the way out; None if it is empty and ready."""
    with _admin(settings) as admin:
        absent = sorted(topic_table(settings).keys() - set(admin.list_topics()))
        if absent:
            return f"These topics do not exist: {', '.join(absent)}. Make them with `alliance topics --for-replay`."
        if _retention_of(admin, EVENTS) != "-1":
            return (
                f"{EVENTS} would lose old records at once, by its retention. A replay needs topics that keep them: "
                f"{_MAKE_ANEW}."
            )
    with _reader(settings) as reader:
        full = sorted({place.topic for place, end in _ends(reader, topic_table(settings)).items() if end > 0})
    if full:
        return f"The log is not empty ({', '.join(full)}). A replay needs an installation of its own: {_MAKE_ANEW}."
    rows = [name for name in _tables(store) if _holds_rows(store, name)]
    if rows:
        return f"The store is not empty ({', '.join(rows)}). A replay needs an installation of its own: {_MAKE_ANEW}."
    return None


def left(settings: Settings, store: Engine) -> Left:
    """How far worker and store are; in the order of the flow, so that `is_nothing` cannot come too early.

    The worker's offsets are committed only after what follows from them is in the log
    (`pipeline.worker.faust.group_commit`).
    """
    with _reader(settings, group_id=settings.app_id) as reader:
        read, to_read = 0, 0
        for topic in (EVENTS, CASES):
            ends = _ends(reader, [topic])
            committed = {place: reader.committed(place) or 0 for place in ends}
            read += sum(committed.values())
            to_read += sum(max(0, end - committed[place]) for place, end in ends.items())
        ends = _ends(reader, (EVENTS, FLAGS, THERAPISTS, REJECTED))
    stored = _positions(store)
    to_store = sum(max(0, end - stored.get(place, 0)) for place, end in ends.items())
    return Left(read + sum(stored.values()), to_read, to_store)


def _positions(store: Engine) -> Offsets:
    """How far the store has read; nothing while it has no tables."""
    if positions.name not in _tables(store):
        return {}
    with store.connect() as connected:
        return {
            TopicPartition(row.topic, row.partition): row.next_offset for row in connected.execute(select(positions))
        }


def _tables(store: Engine) -> list[str]:
    there = set(inspect(store).get_table_names())
    return [name for name in metadata.tables if name in there]


def _holds_rows(store: Engine, name: str) -> bool:
    with store.connect() as connected:
        return bool(connected.scalar(select(func.count()).select_from(metadata.tables[name])))


def _retention_of(admin: KafkaAdminClient, topic: str) -> str | None:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": ""})
    found = admin.describe_configs([resource], config_filter="all")
    value: str | None = found["topic"][topic]["retention.ms"]["value"]
    return value


def _ends(reader: KafkaConsumer, topics: Iterable[str]) -> Offsets:
    places = [TopicPartition(topic, one) for topic in topics for one in reader.partitions_for_topic(topic) or ()]
    return dict(reader.end_offsets(places))


@contextmanager
def _admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(**client_options(settings))
    try:
        yield admin
    finally:
        admin.close()


@contextmanager
def _reader(settings: Settings, **options: Any) -> Iterator[KafkaConsumer]:
    """A consumer that only asks; it joins no group."""
    reader = KafkaConsumer(**client_options(settings), enable_auto_commit=False, **options)
    try:
        yield reader
    finally:
        reader.close()
