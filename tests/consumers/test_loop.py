"""The loop that every sink runs in, on a real Kafka: it starts where the sink stands and passes over nothing."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from consumers.loop import LogIsShorter, LogStartsLater, Loop, Overtaken, Record, Unavailable
from deploy.testbed.kafka import Kafka, create_topics, produce, unique_name
from deploy.testbed.kafka import Record as Sent
from deploy.testbed.waiting import wait_until
from pipeline.runtime.health import Health

pytestmark = pytest.mark.kafka


class MemorySink:
    """Keeps offsets; refuses as told."""

    part = "database"

    def __init__(self, stands: int | None = None) -> None:
        self.stands = stands
        self.offsets: list[int] = []
        self.troubles: list[Exception] = []
        self.tries = 0

    def positions(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {} if self.stands is None else dict.fromkeys(partitions, self.stands)

    def take(self, records: Sequence[Record]) -> None:
        self.tries += 1
        if self.troubles:
            raise self.troubles.pop()
        fresh = [one.offset for one in records if one.offset >= (self.stands or 0)]
        self.offsets += fresh
        self.stands = (fresh or [self.stands or 0])[-1] + 1

    def pass_over(self, partition: TopicPartition, position: int, beginning: int) -> None:
        assert position == self.stands
        self.stands = beginning


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


def test_it_starts_where_the_sink_stands(kafka: Kafka, topic: str) -> None:
    sink = MemorySink(stands=3)
    with running(a_loop(kafka, topic, sink, Health("t"))):
        wait_until(lambda: sink.offsets == [3, 4], 30, lambda: f"offsets 3 and 4; {sink.offsets}")


def test_it_waits_for_what_the_sink_writes_to_and_says_so(kafka: Kafka, topic: str) -> None:
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


def test_told_to_stop_while_what_it_writes_to_is_away_it_tells_the_group_of_nothing(kafka: Kafka, topic: str) -> None:
    sink, group = MemorySink(), unique_name("g")
    sink.troubles = [Unavailable("database", "away")] * 1000
    with running(a_loop(kafka, topic, sink, Health("t"), group)):
        wait_until(lambda: sink.tries, 30, "a first try")
    with closing(KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group)) as consumer:
        assert consumer.committed(TopicPartition(topic, 0)) is None


class Rebalanced:
    """A consumer whose partition 0 went to another while its position was being looked up."""

    def __init__(self) -> None:
        self.sought: list[TopicPartition] = []

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("t", 1)}

    def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 9)

    def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition not in self.assignment():
            raise ValueError("Unassigned partition")
        self.sought.append(partition)


def test_a_rebalance_while_it_seeks_is_no_end_but_another_beginning(kafka: Kafka) -> None:
    loop, consumer = a_loop(kafka, "t", MemorySink(stands=3), Health("t")), Rebalanced()
    loop._consumer = consumer
    loop._seek([TopicPartition("t", 0), TopicPartition("t", 1)])
    assert loop._assigned == [TopicPartition("t", 1)]
    loop._seek(loop._assigned)
    assert consumer.sought == [TopicPartition("t", 1)]


def test_a_position_that_cannot_be_sought_is_told_of(kafka: Kafka) -> None:
    loop = a_loop(kafka, "t", MemorySink(stands=3), Health("t"))
    loop._consumer = Rebalanced()
    loop._consumer.seek = lambda partition, offset: int("nonsense")
    with pytest.raises(ValueError, match="nonsense"):
        loop._seek([TopicPartition("t", 1)])


def test_when_another_has_moved_the_position_it_goes_on_from_there(kafka: Kafka, topic: str) -> None:
    sink = MemorySink()

    class Moved(MemorySink):
        def take(self, records: Sequence[Record]) -> None:
            if self.stands is None:
                self.stands = 2
                raise Overtaken
            super().take(records)

    sink = Moved()
    with running(a_loop(kafka, topic, sink, Health("t"))):
        wait_until(lambda: sink.offsets == [2, 3, 4], 30, lambda: f"offsets from 2 on; {sink.offsets}")


def test_a_log_that_is_shorter_than_the_position_stops_the_process(kafka: Kafka, topic: str) -> None:
    with pytest.raises(LogIsShorter, match="made anew"):
        a_loop(kafka, topic, MemorySink(stands=6), Health("t")).run()


def let_records_leave(kafka: Kafka, topic: str, before: int) -> None:
    """What retention does."""
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap)) as admin:
        admin.delete_records({TopicPartition(topic, 0): before})


def test_a_log_that_begins_after_the_position_stops_the_process(kafka: Kafka, topic: str) -> None:
    let_records_leave(kafka, topic, before=4)
    with pytest.raises(LogStartsLater, match="begins at 4, after the position 1: 3 records have left"):
        a_loop(kafka, topic, MemorySink(stands=1), Health("t")).run()


def test_a_gap_that_is_accepted_is_passed_over_for_good_though_nothing_follows_it(kafka: Kafka, topic: str) -> None:
    let_records_leave(kafka, topic, before=5)
    sink = MemorySink(stands=1)
    with running(a_loop(kafka, topic, sink, Health("t"), accepts_gap=True)):
        wait_until(lambda: sink.stands == 5, 30, lambda: f"position 5; {sink.stands}")
    with running(a_loop(kafka, topic, sink, Health("t"))):
        produce(kafka.bootstrap, topic, [Sent(b"k", b"5")])
        wait_until(lambda: sink.offsets == [5], 30, lambda: f"offset 5; {sink.offsets}")


def test_what_leaves_the_log_while_it_runs_is_not_passed_over_in_silence(kafka: Kafka, topic: str) -> None:
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
    wait_until(lambda: sink.stands == 5, 30, "the first five")
    place = TopicPartition(topic, 0)
    loop._consumer.pause(place)
    produce(kafka.bootstrap, topic, [Sent(b"k", b"%d" % number) for number in range(5, 9)])
    let_records_leave(kafka, topic, before=8)
    loop._consumer.seek(place, 5)
    loop._consumer.resume(place)
    thread.join(30)
    assert "begins at 8, after the position 5: 3 records have left" in str(ended)


def test_a_topic_that_does_not_exist_yet_is_waited_for(kafka: Kafka) -> None:
    topic, sink, health = unique_name("later"), MemorySink(), Health("t")
    with running(a_loop(kafka, topic, sink, health)):
        wait_until(lambda: "topics" in str(health.report()), 30, "health to name the topics")
        create_topics(kafka.bootstrap, {topic: 1})
        produce(kafka.bootstrap, topic, [Sent(b"k", b"0")])
        wait_until(lambda: sink.offsets == [0], 30, lambda: f"offset 0; {sink.offsets}")
    assert health.report()[0]
