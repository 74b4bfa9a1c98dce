"""A real Kafka in the hands of a test: topics of its own, records in, records out.

In: `bootstrap` of a running broker. Out: what the broker itself acknowledged or holds. Never: a topic name
that another test may use, an answer before the broker gave it.
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
    """One record, as it goes in and as it comes out; the broker fills what is None (timestamp: ms)."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int | None = None
    partition: int | None = None
    offset: int | None = None


def unique_name(prefix: str) -> str:
    """A name for a topic or group that nobody else uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def create_topics(
    bootstrap: str, topics: Mapping[str, int], configs: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Creates topics with so many partitions each (settings by topic); returns once they can be used."""
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
    """Deletes topics, and returns once the broker no longer lists them."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        gone = list(names)
        admin.delete_topics(gone)
        wait_until(lambda: not set(gone) & set(admin.list_topics()), 30, f"the topics {gone} to be gone")


def topic_names(bootstrap: str) -> set[str]:
    """The topics there are, internal ones left out."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        return {name for name in admin.list_topics() if not name.startswith("__")}


def produce(bootstrap: str, topic: str, records: Iterable[Record], timeout: float = 30) -> list[Record]:
    """Sends records in order (acks=all) and returns them as acknowledged, each with partition and offset."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=3_000_000)) as producer:
        sent = [(record, producer.send(topic, **arguments(record))) for record in records]
        answers = [(record, future.get(timeout)) for record, future in sent]
    return [
        Record(record.key, record.value, record.headers, answer.timestamp, answer.partition, answer.offset)
        for record, answer in answers
    ]


def arguments(record: Record) -> dict[str, object]:
    """What KafkaProducer.send wants to know of a record."""
    return {
        "key": record.key,
        "value": record.value,
        "headers": list(record.headers),
        "timestamp_ms": record.timestamp,
        "partition": record.partition,
    }


def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """For each partition the offset that its next record will get."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap)) as consumer:
        ends = consumer.end_offsets(partitions_of(consumer, topic))
        return {place.partition: offset for place, offset in ends.items()}


#: What a broker answers while it makes, or loads, its topic of offsets: the first group ever, or a broker just started.
MAKING_OFFSETS = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)


def committed_offsets(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """For each partition the offset that the group would go on from; without those that it never committed."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:

        def ask() -> list[Any]:
            with suppress(*MAKING_OFFSETS):
                return [admin.list_group_offsets(group)[group]]
            return []

        found = wait_until(ask, 30, "the group's coordinator")[0]
        return {place.partition: one.offset for place, one in found.items() if place.topic == topic and one.offset >= 0}


def records_of(bootstrap: str, topic: str, timeout: float = 30) -> list[Record]:
    """Everything the topic holds now, by partition and offset; what comes in meanwhile may be missing."""
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
    """The topic's partitions; a failed assertion if there is no such topic."""
    partitions = consumer.partitions_for_topic(topic)
    assert partitions, f"no topic {topic}"
    return [TopicPartition(topic, number) for number in sorted(partitions)]


def subscribe(consumer: KafkaConsumer, *topics: str) -> None:
    """Subscribes, and knows the topics before the first poll: kafka-python may else assign nothing for good."""
    consumer.subscribe(list(topics))
    for topic in topics:
        partitions_of(consumer, topic)


def as_record(received: object) -> Record:
    """A record as kafka-python gives it, in our words."""
    names = ("key", "value", "headers", "timestamp", "partition", "offset")
    key, value, headers, *rest = (getattr(received, name) for name in names)
    return Record(key, value, tuple(headers), *rest)
