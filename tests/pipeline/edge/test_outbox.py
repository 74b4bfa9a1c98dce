"""The outbox: waits for what may pass, sends everything again in order, raises what is a bug."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError

from pipeline.edge import outbox as room
from pipeline.edge.outbox import Out, Outbox, Stale
from pipeline.health import Health


class Producer:
    """Fails as told, one error an attempt; remembers what was sent and acknowledged."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.sent: list[bytes | None] = []

    async def send(self, topic: str, key: Any, value: bytes | None, *_: Any) -> Awaitable[None]:
        self.sent.append(value)
        failure = self.failures.pop(0) if value == b"2" and self.failures else None
        if isinstance(failure, ProducerSendError):
            raise failure
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
        return future


class App:
    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.consumer_generation_id = 1


RECORDS = [Out("t", b"k", b"1"), Out("t", b"k", b"2"), Out("t", b"k", b"3")]


def test_when_the_partitions_went_meanwhile_nothing_more_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer(KafkaConnectionError())
    app = App(producer)

    async def pause(_: float) -> None:
        app.consumer_generation_id = 2

    monkeypatch.setattr(asyncio, "sleep", pause)
    with pytest.raises(Stale):
        asyncio.run(Outbox(app, Health("test")).deliver(RECORDS))
    assert producer.sent == [b"1", b"2", b"3"]


def deliver(producer: Producer, health: Health) -> None:
    asyncio.run(Outbox(App(producer), health).deliver(RECORDS))


def sent_error(cause: Exception) -> ProducerSendError:
    error = ProducerSendError("no")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("failure", [KafkaConnectionError(), KafkaTimeoutError(), sent_error(KafkaTimeoutError())])
def test_after_a_passing_failure_everything_is_sent_again_in_order(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PAUSE_SECONDS", 0.0)
    health = Health("test")
    health.is_ready()
    producer = Producer(failure, failure)
    deliver(producer, health)
    assert producer.sent[-3:] == [b"1", b"2", b"3"]
    assert len(producer.sent) >= 8 - 2 * isinstance(failure, ProducerSendError)
    assert health.report()[0]


def test_health_says_that_the_broker_is_away_while_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health("test")
    health.is_ready()
    reports = []

    async def pause(_: float) -> None:
        reports.append(health.report())

    monkeypatch.setattr(asyncio, "sleep", pause)
    deliver(Producer(KafkaConnectionError()), health)
    assert [(is_well, report["status"]) for is_well, report in reports] == [(False, "waiting")]


@pytest.mark.parametrize(
    "failure", [MessageSizeTooLargeError(), ValueError("bug"), sent_error(MessageSizeTooLargeError())]
)
def test_what_waiting_cannot_mend_is_raised(failure: Exception) -> None:
    with pytest.raises((MessageSizeTooLargeError, ValueError)):
        deliver(Producer(failure), Health("test"))
