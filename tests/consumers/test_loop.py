"""The store's loop on a real Kafka: it starts at the sink's position and skips nothing."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from consumers.loop import Loop
from consumers.sink import ConsumerRecord, PositionConflict, Unavailable
from consumers.start_positions import LogIsShorter, LogStartsLater
from deploy.testbed.kafka import Kafka, create_topics, produce, unique_name
from deploy.testbed.kafka import Record as Sent
from deploy.testbed.waiting import wait_until
from pipeline.runtime.health import Health

pytestmark = pytest.mark.kafka


class MemorySink:
    """Keeps offsets, and raises the errors in `troubles` first, the last one first."""

    part = "database"

    def __init__(self, position: int | None = None) -> None:
        self.position = position
        self.offsets: list[int] = []
        self.troubles: list[Exception] = []
        self.tries = 0

    def positions(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {} if self.position is None else dict.fromkeys(partitions, self.position)

    def write(self, records: Sequence[ConsumerRecord]) -> None:
        self.tries += 1
        if self.troubles:
            raise self.troubles.pop()
        fresh = [record.offset for record in records if record.offset >= (self.position or 0)]
        self.offsets += fresh
        self.position = (fresh or [self.position or 0])[-1] + 1

    def skip(self, partition: TopicPartition, position: int, beginning: int) -> None:
        assert position == self.position
        self.position = beginning


@pytest.fixture
def topic(kafka: Kafka) -> str:
    name = unique_name("loop")
    create_topics(kafka.bootstrap, {name: 1})
    produce(kafka.bootstrap, name, [Sent(b"k", b"%d" % number) for number in range(5)])
    return name


def a_loop(
    kafka: Kafka, topic: str, sink: MemorySink, health: Health, group: str = "", *, accepts_gap: bool = False
) -> Loop:
    return Loop(
        sink,
        [topic],
        {"bootstrap_servers": kafka.bootstrap},
        health,
        group=group or unique_name("g"),
        session_timeout_seconds=6,
        accepts_gap=accepts_gap,
    )


@contextmanager
def running(loop: Loop) -> Iterator[None]:
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join(30)
        assert not thread.is_alive()


def test_it_starts_at_the_position_of_the_sink(kafka: Kafka, topic: str) -> None:
    sink = MemorySink(position=3)
    with running(a_loop(kafka, topic, sink, Health("t"))):
        wait_until(lambda: sink.offsets == [3, 4], 30, lambda: f"offsets 3 and 4; {sink.offsets}")


def test_it_waits_for_the_database_and_says_so(kafka: Kafka, topic: str) -> None:
    sink, health = MemorySink(), Health("t")
    sink.troubles = [Unavailable("database", "away")] * 3
    reports: list[object] = []

    def done() -> bool:
        reports.append(health.report())
        return len(sink.offsets) == 5

    with running(a_loop(kafka, topic, sink, health)):
        wait_until(done, 30, "five records")
    assert any("database" in str(report) for report in reports)
    assert sink.offsets == [0, 1, 2, 3, 4]
    assert sink.tries == 4
    assert health.report()[0]


def test_stopped_while_the_database_is_away_it_commits_nothing(kafka: Kafka, topic: str) -> None:
    sink, group = MemorySink(), unique_name("g")
    sink.troubles = [Unavailable("database", "away")] * 1000
    with running(a_loop(kafka, topic, sink, Health("t"), group)):
        wait_until(lambda: sink.tries, 30, "a first try")
    with closing(KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group)) as consumer:
        assert consumer.committed(TopicPartition(topic, 0)) is None


def test_when_another_process_has_moved_the_position_it_continues_from_there(kafka: Kafka, topic: str) -> None:
    sink = MemorySink()

    class Moved(MemorySink):
        def write(self, records: Sequence[ConsumerRecord]) -> None:
            if self.position is None:
                self.position = 2
                raise PositionConflict
            super().write(records)

    sink = Moved()
    with running(a_loop(kafka, topic, sink, Health("t"))):
        wait_until(lambda: sink.offsets == [2, 3, 4], 30, lambda: f"offsets from 2 on; {sink.offsets}")


def test_a_topic_that_ends_before_the_position_stops_the_process(kafka: Kafka, topic: str) -> None:
    with pytest.raises(LogIsShorter, match="was deleted and created again"):
        a_loop(kafka, topic, MemorySink(position=6), Health("t")).run()


def delete_records(kafka: Kafka, topic: str, before: int) -> None:
    """As retention does."""
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap)) as admin:
        admin.delete_records({TopicPartition(topic, 0): before})


def test_a_topic_that_begins_after_the_position_stops_the_process(kafka: Kafka, topic: str) -> None:
    delete_records(kafka, topic, before=4)
    with pytest.raises(LogStartsLater, match="begins at 4, after the position 1: Kafka deleted 3 records"):
        a_loop(kafka, topic, MemorySink(position=1), Health("t")).run()


def test_an_accepted_gap_is_skipped_for_good_even_if_nothing_follows_it(kafka: Kafka, topic: str) -> None:
    delete_records(kafka, topic, before=5)
    sink = MemorySink(position=1)
    with running(a_loop(kafka, topic, sink, Health("t"), accepts_gap=True)):
        wait_until(lambda: sink.position == 5, 30, lambda: f"position 5; {sink.position}")
    with running(a_loop(kafka, topic, sink, Health("t"))):
        produce(kafka.bootstrap, topic, [Sent(b"k", b"5")])
        wait_until(lambda: sink.offsets == [5], 30, lambda: f"offset 5; {sink.offsets}")


def test_records_deleted_while_it_runs_are_not_skipped_silently(kafka: Kafka, topic: str) -> None:
    sink = MemorySink()
    loop = a_loop(kafka, topic, sink, Health("t"))
    ended: list[Exception] = []

    def run() -> None:
        try:
            loop.run()
        except LogStartsLater as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: sink.position == 5, 30, "the first five")
    place = TopicPartition(topic, 0)
    loop._consumer.pause(place)
    produce(kafka.bootstrap, topic, [Sent(b"k", b"%d" % number) for number in range(5, 9)])
    delete_records(kafka, topic, before=8)
    loop._consumer.seek(place, 5)
    loop._consumer.resume(place)
    thread.join(30)
    assert "begins at 8, after the position 5: Kafka deleted 3 records" in str(ended)


def test_a_topic_that_does_not_exist_yet_is_waited_for(kafka: Kafka) -> None:
    topic, sink, health = unique_name("later"), MemorySink(), Health("t")
    with running(a_loop(kafka, topic, sink, health)):
        wait_until(lambda: "topics" in str(health.report()), 30, "health to name the topics")
        create_topics(kafka.bootstrap, {topic: 1})
        produce(kafka.bootstrap, topic, [Sent(b"k", b"0")])
        wait_until(lambda: sink.offsets == [0], 30, lambda: f"offset 0; {sink.offsets}")
    assert health.report()[0]
