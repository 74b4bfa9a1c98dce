"""The embedded broker serves real clients: kafka-python and Faust, over TCP, as a Kafka would."""

import asyncio
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import faust
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from alliance.demo.broker import API_VERSION, RETAINED_BYTES_PER_PARTITION, EmbeddedBroker, EmbeddedBrokerError
from deploy.testbed.kafka import subscribe
from deploy.testbed.waiting import wait_until
from pipeline.worker.faust.state_table import disable_data_dir

EVENTS = "events"
SESSION_SECONDS = 3


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker({EVENTS: 2}) as broker:
        yield broker


def a_producer(broker: EmbeddedBroker, **overrides: Any) -> Any:
    settings = {"bootstrap_servers": broker.bootstrap, "api_version": API_VERSION, "acks": "all"}
    return closing(KafkaProducer(**settings | overrides))


def a_consumer(broker: EmbeddedBroker, **overrides: Any) -> Any:
    settings = {
        "bootstrap_servers": broker.bootstrap,
        "api_version": API_VERSION,
        "group_id": "readers",
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "session_timeout_ms": SESSION_SECONDS * 1000,
        "heartbeat_interval_ms": 500,
    }
    return closing(KafkaConsumer(**settings | overrides))


def send(broker: EmbeddedBroker, *values: str, topic: str = EVENTS) -> None:
    with a_producer(broker) as producer:
        for value in values:
            producer.send(topic, key=value.encode(), value=value.encode()).get(timeout=10)


def records(consumer: Any, count: int) -> list[Any]:
    """The next records of a subscribed consumer, at least `count` of them."""
    got: list[Any] = []

    def enough() -> bool:
        for batch in consumer.poll(timeout_ms=200).values():
            got.extend(batch)
        return len(got) >= count

    # After a group's first rebalance the mock waits for most of a session timeout; a busy machine adds to that.
    wait_until(enough, 60, f"{count} records")
    return got


def committed(broker: EmbeddedBroker, group: str) -> int:
    """How many records of the events topic a group has committed."""
    with a_consumer(broker, group_id=group) as consumer:
        return sum(consumer.committed(TopicPartition(EVENTS, number)) or 0 for number in (0, 1))


def test_a_record_comes_back_with_its_key_value_headers_and_time(broker: EmbeddedBroker) -> None:
    with a_producer(broker) as producer:
        metadata = producer.send(
            EVENTS,
            key=b"case-1",
            value=b"{}",
            headers=[("alliance-reason", b"empty")],
            timestamp_ms=1_767_225_600_123,
        ).get(timeout=10)
    with a_consumer(broker) as consumer:
        subscribe(consumer, EVENTS)
        (record,) = records(consumer, 1)
    assert (record.partition, record.offset) == (metadata.partition, metadata.offset)
    assert (record.key, record.value, record.timestamp) == (b"case-1", b"{}", 1_767_225_600_123)
    assert [tuple(header) for header in record.headers] == [("alliance-reason", b"empty")]


def test_a_tombstone_stays_null_and_is_not_an_empty_value(broker: EmbeddedBroker) -> None:
    with a_producer(broker) as producer:
        producer.send(EVENTS, key=b"flag-1", value=None, partition=0).get(timeout=10)
        producer.send(EVENTS, key=b"flag-2", value=b"", partition=0).get(timeout=10)
    with a_consumer(broker) as consumer:
        subscribe(consumer, EVENTS)
        assert [record.value for record in records(consumer, 2)] == [None, b""]


def test_a_group_goes_on_after_what_it_committed(broker: EmbeddedBroker) -> None:
    send(broker, "a", "b", "c")
    with a_consumer(broker) as first:
        subscribe(first, EVENTS)
        assert {record.value for record in records(first, 3)} == {b"a", b"b", b"c"}
        first.commit()
    send(broker, "d")
    with a_consumer(broker) as second:
        subscribe(second, EVENTS)
        assert [record.value for record in records(second, 1)] == [b"d"]


def test_what_was_read_and_not_committed_is_read_again(broker: EmbeddedBroker) -> None:
    send(broker, "a")
    for _ in range(2):
        with a_consumer(broker) as consumer:
            subscribe(consumer, EVENTS)
            assert [record.value for record in records(consumer, 1)] == [b"a"]


def test_every_topic_has_the_partitions_it_was_given() -> None:
    topics = {"one": 1, "three": 3, "sixteen": 16}
    with EmbeddedBroker(topics) as broker, a_consumer(broker, group_id=None) as consumer:
        assert {name: len(consumer.partitions_for_topic(name)) for name in topics} == topics


def test_two_brokers_share_nothing(broker: EmbeddedBroker) -> None:
    with EmbeddedBroker({EVENTS: 2}) as other:
        assert other.bootstrap != broker.bootstrap
        send(broker, "a")
        with a_consumer(other, group_id=None) as consumer:
            ends = consumer.end_offsets([TopicPartition(EVENTS, number) for number in (0, 1)])
    assert set(ends.values()) == {0}


def test_it_listens_on_loopback_until_it_is_closed() -> None:
    broker = EmbeddedBroker({})
    host, port = broker.bootstrap.split(":")
    assert host == "127.0.0.1"
    socket.create_connection((host, int(port)), timeout=5).close()
    broker.close()
    broker.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


def test_a_partition_keeps_what_its_limit_says_and_drops_the_oldest_above_it(broker: EmbeddedBroker) -> None:
    size = 512 * 1024
    with a_producer(broker, max_request_size=2 * size, batch_size=0) as producer:
        for _ in range(RETAINED_BYTES_PER_PARTITION // size + 3):
            producer.send(EVENTS, value=bytes(size), partition=0).get(timeout=10)
    partition = TopicPartition(EVENTS, 0)
    with a_consumer(broker, group_id=None) as consumer:
        kept = consumer.end_offsets([partition])[partition] - consumer.beginning_offsets([partition])[partition]
    assert RETAINED_BYTES_PER_PARTITION - size <= kept * size <= RETAINED_BYTES_PER_PARTITION + size


def test_a_faust_agent_reads_counts_answers_and_commits() -> None:
    group = "counting"
    topics = {EVENTS: 2, "answers": 2, f"{group}-__assignor-__leader": 1, f"{group}-counts-changelog": 2}
    with EmbeddedBroker(topics) as broker:
        send(broker, *"abcdef")
        assert asyncio.run(_count_with_faust(broker, group, expected=6)) == dict.fromkeys("abcdef", 1)
        assert committed(broker, group) == 6
        with a_consumer(broker) as consumer:
            subscribe(consumer, "answers", f"{group}-counts-changelog")
            assert len(records(consumer, 12)) == 12


def test_a_faust_agent_that_comes_back_finds_its_table_and_its_place() -> None:
    group = "returning"
    topics = {EVENTS: 2, "answers": 2, f"{group}-__assignor-__leader": 1, f"{group}-counts-changelog": 2}
    with EmbeddedBroker(topics) as broker:
        send(broker, "a", "b")
        asyncio.run(_count_with_faust(broker, group, expected=2))
        send(broker, "a")
        assert asyncio.run(_count_with_faust(broker, group, expected=1)) == {"a": 2, "b": 1}


async def _count_with_faust(broker: EmbeddedBroker, group: str, expected: int) -> Mapping[str, int]:
    """Run a Faust app with one agent and one table until it has seen `count` events; return the table."""
    app = faust.App(
        group,
        broker=f"kafka://{broker.bootstrap}",
        store="memory://",
        topic_allow_declare=False,
        web_enabled=False,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=0.5,
    )
    disable_data_dir(app)
    raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    answers = app.topic("answers", partitions=2, **raw)
    counts = app.Table("counts", default=int, partitions=2)
    seen: list[bytes] = []
    done = asyncio.Event()

    async def count(stream: Any) -> None:
        async for event in stream.events():
            counts[event.value.decode()] += 1
            await answers.send(key=event.key, value=event.value)
            seen.append(event.value)
            if len(seen) == expected:
                done.set()

    app.agent(app.topic(EVENTS, partitions=2, **raw))(count)
    await app.start()
    try:
        await asyncio.wait_for(done.wait(), 30)
        return dict(counts)
    finally:
        await app.stop()


def test_without_the_package_one_sentence_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(EmbeddedBrokerError, match=r"pip install 'alliance-monitor\[demo\]'"):
        EmbeddedBroker({})


def test_a_package_without_the_library_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "confluent_kafka").mkdir()
    (tmp_path / "confluent_kafka" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "confluent_kafka", raising=False)
    with pytest.raises(EmbeddedBrokerError, match=r"no librdkafka with a mock cluster; install its wheel: pip"):
        EmbeddedBroker({})


def test_a_topic_without_partitions_is_refused_and_says_which() -> None:
    with pytest.raises(EmbeddedBrokerError, match="topic 'empty' needs at least 1 partition, not 0"):
        EmbeddedBroker({"empty": 0})
