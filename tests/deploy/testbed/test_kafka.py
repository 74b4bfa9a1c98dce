"""In: a real broker and kafka-python. Out: what it acknowledged is there, also after it was killed."""

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError

from deploy.testbed.kafka import (
    Kafka,
    Record,
    create_topics,
    delete_topics,
    end_offsets,
    produce,
    records_of,
    topic_names,
    unique_name,
)
from deploy.testbed.waiting import wait_until

pytestmark = pytest.mark.kafka


def some_records(count: int, first: int = 0) -> list[Record]:
    return [Record(b"case-%d" % (n % 5), b"event %d" % n) for n in range(first, first + count)]


def content(records: list[Record]) -> set[tuple[bytes | None, bytes | None]]:
    return {(record.key, record.value) for record in records}


def test_what_was_acknowledged_comes_out_at_the_same_place_unchanged(kafka: Kafka) -> None:
    topic = unique_name("round-trip")
    create_topics(kafka.bootstrap, {topic: 4})
    strange = Record(None, b"\x00\xff{", (("h", b"1"), ("h", b"2")), timestamp=1_700_000_000_123)
    sent = produce(kafka.bootstrap, topic, [*some_records(500), strange, Record(b"gone", None)])
    received = records_of(kafka.bootstrap, topic)
    assert received == sorted(sent, key=lambda record: (record.partition, record.offset))
    assert sum(end_offsets(kafka.bootstrap, topic).values()) == 502


def test_an_empty_topic_is_read_to_its_end_at_once(kafka: Kafka) -> None:
    topic = unique_name("empty")
    create_topics(kafka.bootstrap, {topic: 2}, {topic: {"cleanup.policy": "compact"}})
    assert records_of(kafka.bootstrap, topic) == []


def test_a_record_of_two_megabytes_passes(kafka: Kafka) -> None:
    topic = unique_name("large")
    create_topics(kafka.bootstrap, {topic: 1})
    large = Record(b"k", bytes(2_000_000))
    produce(kafka.bootstrap, topic, [large])
    assert content(records_of(kafka.bootstrap, topic)) == content([large])


def test_a_topic_is_never_made_by_accident(kafka: Kafka) -> None:
    topic = unique_name("nobody-made-this")
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, max_block_ms=1500)
    with pytest.raises(KafkaTimeoutError):
        producer.send(topic, b"x").get(5)
    producer.close()
    assert topic not in topic_names(kafka.bootstrap)


def test_a_deleted_topic_is_no_longer_listed(kafka: Kafka) -> None:
    topic = unique_name("short-lived")
    create_topics(kafka.bootstrap, {topic: 1})
    assert topic in topic_names(kafka.bootstrap)
    delete_topics(kafka.bootstrap, [topic])
    assert topic not in topic_names(kafka.bootstrap)


def test_a_group_with_a_short_session_timeout_reads_and_commits(kafka: Kafka) -> None:
    topic, group = unique_name("grouped"), unique_name("group")
    create_topics(kafka.bootstrap, {topic: 2})
    produce(kafka.bootstrap, topic, some_records(20))
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap,
        group_id=group,
        session_timeout_ms=6000,
        heartbeat_interval_ms=1000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    values: set[bytes] = set()

    def all_read() -> bool:
        values.update(record.value for batch in consumer.poll(200).values() for record in batch)
        return len(values) == 20

    wait_until(all_read, 30, "all records through the group")
    consumer.commit()
    assert sum(consumer.committed(place) for place in consumer.assignment()) == 20
    consumer.close()


def test_acknowledged_records_survive_a_kill_and_a_restart_in_good_order(broker_of_my_own: Kafka) -> None:
    broker = broker_of_my_own
    address, topic = broker.bootstrap, unique_name("durable")
    create_topics(address, {topic: 3})
    acknowledged = produce(address, topic, some_records(300))
    broker.kill()
    assert not broker.running
    broker.start()
    assert broker.bootstrap == address
    assert content(records_of(address, topic)) == content(acknowledged)
    acknowledged += produce(address, topic, some_records(100, first=300))
    broker.restart()
    assert content(records_of(address, topic)) == content(acknowledged)


def test_a_producer_that_was_there_before_the_kill_goes_on_after_it(broker_of_my_own: Kafka) -> None:
    broker, topic = broker_of_my_own, unique_name("reconnect")
    create_topics(broker.bootstrap, {topic: 1})
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", delivery_timeout_ms=60_000)
    producer.send(topic, b"before").get(30)
    broker.kill()
    waiting = producer.send(topic, b"while it was down")
    broker.start()
    waiting.get(60)
    producer.close()
    assert [record.value for record in records_of(broker.bootstrap, topic)] == [
        b"before",
        b"while it was down",
    ]
