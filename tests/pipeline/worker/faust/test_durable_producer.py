"""The durable producer waits while the broker is away, sends everything again in order, and raises what is a bug."""

import asyncio
from collections.abc import Awaitable

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from pipeline.runtime.health import Health
from pipeline.worker.faust import durable_producer
from pipeline.worker.faust.durable_producer import BATCH_BYTES, DurableProducer, Fenced, OutgoingRecord


class Producer:
    """Fails with the given errors, one an attempt; remembers what was sent and to where."""

    def __init__(self, *failures: Exception, at_once: bool = False) -> None:
        self.failures = list(failures)
        self.at_once = at_once
        self.sent: list[tuple[str, int, list[tuple[bytes | None, bytes | None]]]] = []

    def _ensure_producer(self) -> "Producer":
        return self

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES, 0)

    async def partitions_for(self, topic: str) -> set[int]:
        return {0, 1, 2}

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> Awaitable[None]:
        assert batch.closed()
        unpacked = MemoryRecords(bytes(batch._build())).next_batch()
        self.sent.append((topic, partition, [(record.key, record.value) for record in unpacked]))
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None and self.at_once:
            raise failure
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
        return future

    @property
    def values(self) -> list[bytes | None]:
        """What was sent, in order."""
        return [value for _, _, records in self.sent for _, value in records]


class App:
    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.consumer_generation_id = 1


RECORDS = [OutgoingRecord("t", b"k", b"1"), OutgoingRecord("t", b"k", b"2"), OutgoingRecord("t", b"k", b"3")]
VALUES = [b"1", b"2", b"3"]


def test_after_a_rebalance_nothing_more_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer(KafkaConnectionError())
    app = App(producer)

    async def pause(_: float) -> None:
        app.consumer_generation_id = 2

    monkeypatch.setattr(asyncio, "sleep", pause)
    with pytest.raises(Fenced):
        asyncio.run(DurableProducer(app, Health("test")).deliver(RECORDS))
    assert producer.values == VALUES


def test_a_batch_is_fenced_by_a_rebalance_even_if_it_was_delivered() -> None:
    producer = Producer()
    app = App(producer)
    durable = DurableProducer(app, Health("test"))

    async def run() -> None:
        delivering = asyncio.ensure_future(durable.deliver(RECORDS))
        while not producer.sent:
            await asyncio.sleep(0)
        app.consumer_generation_id = 2
        await delivering

    with pytest.raises(Fenced):
        asyncio.run(run())


def deliver(producer: Producer, health: Health) -> None:
    asyncio.run(DurableProducer(App(producer), health).deliver(RECORDS))


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("failure", [KafkaConnectionError(), KafkaTimeoutError()])
def test_after_a_retriable_failure_everything_is_sent_again_in_order(
    failure: Exception, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable_producer, "RETRY_SECONDS", 0.0)
    health = Health("test")
    health.is_ready()
    producer = Producer(failure, failure, at_once=at_once)
    deliver(producer, health)
    assert producer.values == 3 * VALUES
    assert health.report()[0]


def test_health_says_that_the_broker_is_away_while_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health("test")
    health.is_ready()
    reports = []

    async def pause(_: float) -> None:
        reports.append(health.report())

    monkeypatch.setattr(asyncio, "sleep", pause)
    deliver(Producer(KafkaConnectionError()), health)
    assert [(is_healthy, report["status"]) for is_healthy, report in reports] == [(False, "waiting")]


@pytest.mark.parametrize("failure", [MessageSizeTooLargeError(), ValueError("bug")])
def test_what_waiting_cannot_cure_is_raised(failure: Exception) -> None:
    with pytest.raises((MessageSizeTooLargeError, ValueError)):
        deliver(Producer(failure), Health("test"))


def test_the_records_of_a_partition_go_in_one_batch_in_their_order() -> None:
    producer = Producer()
    asyncio.run(
        DurableProducer(App(producer), Health("test")).deliver(
            [
                OutgoingRecord("t", b"a", b"1", 2),
                OutgoingRecord("u", b"a", b"2", 2),
                OutgoingRecord("t", b"b", None, 2),
                OutgoingRecord("t", b"a", b"3", 1),
            ]
        )
    )
    assert producer.sent == [
        ("t", 2, [(b"a", b"1"), (b"b", None)]),
        ("u", 2, [(b"a", b"2")]),
        ("t", 1, [(b"a", b"3")]),
    ]


def test_a_key_goes_where_every_kafka_client_sends_it() -> None:
    producer, partitions = Producer(), [0, 1, 2]
    keys = [b"therapist-%d" % number for number in range(50)]
    asyncio.run(DurableProducer(App(producer), Health("test")).deliver([OutgoingRecord("t", key, b"") for key in keys]))
    sent = {key: partition for _, partition, records in producer.sent for key, _ in records}
    assert sent == {key: DefaultPartitioner()(key, partitions, partitions) for key in keys}


def test_what_exceeds_one_batch_goes_in_several_and_a_very_large_record_has_its_own() -> None:
    producer = Producer()
    values = [b"a" * 300_000, b"b" * 300_000, b"c" * (BATCH_BYTES + 1), b"d"]
    asyncio.run(
        DurableProducer(App(producer), Health("test")).deliver(
            [OutgoingRecord("t", b"k", value, 0) for value in values]
        )
    )
    assert producer.values == values
    assert [len(records) for _, _, records in producer.sent] == [1, 1, 1, 1]
