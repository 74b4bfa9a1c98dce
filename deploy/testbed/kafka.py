"""A real Kafka for tests and benchmarks: topics with unique names, records in, records out.

In: `bootstrap` of a running broker. Out: the records that the broker acknowledged or holds.
Never: a topic name that another test may use.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

from deploy.local.kafka import Kafka
from deploy.testbed.waiting import wait_until

__all__ = [
    "Kafka",
    "Record",
    "committed_offsets",
    "create_topics",
    "delete_topics",
    "end_offsets",
    "produce",
    "records_of",
    "subscribe",
    "topic_names",
    "unique_name",
]

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Record:
    """A record to send or received; the broker fills fields that are not set (timestamp: ms)."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int | None = None
    partition: int | None = None
    offset: int | None = None


def unique_name(prefix: str) -> str:
    """A name for a topic or group that is used nowhere else."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def create_topics(
    bootstrap: str, topics: Mapping[str, int], configs: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Create topics, each with its number of partitions and its settings; return once they can be used."""
    details = {
        name: {
            "num_partitions": count,
            "replication_factor": 1,
            "configs": dict((configs or {}).get(name, {})),
        }
        for name, count in topics.items()
    }
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics(details, wait_for_metadata=True)


def delete_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Delete topics; return once the broker no longer lists them."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        gone = list(names)
        admin.delete_topics(gone)
        wait_until(lambda: not set(gone) & set(admin.list_topics()), 30, f"the topics {gone} to be gone")


def topic_names(bootstrap: str) -> set[str]:
    """The names of all topics except internal ones."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        return {name for name in admin.list_topics() if not name.startswith("__")}


def produce(bootstrap: str, topic: str, records: Iterable[Record], timeout: float = 30) -> list[Record]:
    """Send records in order (acks=all) and return them as acknowledged, each with partition and offset."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=3_000_000)) as producer:
        sent = [(record, producer.send(topic, **arguments(record))) for record in records]
        answers = [(record, future.get(timeout)) for record, future in sent]
    return [
        Record(record.key, record.value, record.headers, answer.timestamp, answer.partition, answer.offset)
        for record, answer in answers
    ]


def arguments(record: Record) -> dict[str, object]:
    """A record as arguments of `KafkaProducer.send`."""
    return {
        "key": record.key,
        "value": record.value,
        "headers": list(record.headers),
        "timestamp_ms": record.timestamp,
        "partition": record.partition,
    }


def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """The offset that the next record will get, by partition."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap)) as consumer:
        ends = consumer.end_offsets(partitions_of(consumer, topic))
        return {place.partition: offset for place, offset in ends.items()}


#: What a broker answers while it creates or loads its topic of offsets: for its first group, or just after a start.
OFFSETS_NOT_READY = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)


def committed_offsets(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """The offset that the group has committed, by partition; without partitions for which it never committed."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:

        def ask() -> list[Any]:
            with suppress(*OFFSETS_NOT_READY):
                return [admin.list_group_offsets(group)[group]]
            return []

        offsets = wait_until(ask, 30, "the group's coordinator")[0]
        return {tp.partition: found.offset for tp, found in offsets.items() if tp.topic == topic and found.offset >= 0}


def records_of(bootstrap: str, topic: str, timeout: float = 30) -> list[Record]:
    """All records that the topic holds now, by partition and offset; newer ones may be missing."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)) as consumer:
        places = partitions_of(consumer, topic)
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: list[Record] = []
        deadline = monotonic() + timeout
        while any(consumer.position(place) < end for place, end in ends.items()):
            if monotonic() > deadline:
                raise AssertionError(f"{topic} could not be read to its end in {timeout:g} s ({len(found)} records)")
            batches = consumer.poll(timeout_ms=200)
            found += [as_record(record) for batch in batches.values() for record in batch]
    return sorted(found, key=lambda record: (record.partition, record.offset))


def partitions_of(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """The topic's partitions; a failed assertion if the topic does not exist."""
    partitions = consumer.partitions_for_topic(topic)
    assert partitions, f"no topic {topic}"
    return [TopicPartition(topic, number) for number in sorted(partitions)]


def subscribe(consumer: KafkaConsumer, *topics: str) -> None:
    """Subscribe, and load the topics' metadata first: otherwise kafka-python may never assign a partition."""
    consumer.subscribe(list(topics))
    for topic in topics:
        partitions_of(consumer, topic)


def as_record(received: object) -> Record:
    """A record of kafka-python as a `Record`."""
    names = ("key", "value", "headers", "timestamp", "partition", "offset")
    key, value, headers, *rest = (getattr(received, name) for name in names)
    return Record(key, value, tuple(headers), *rest)
