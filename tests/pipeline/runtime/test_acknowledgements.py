"""Sending many records: each acknowledgement is reported in order, and no more than the limit is in flight."""

from collections.abc import Iterator

import pytest
from kafka.errors import KafkaTimeoutError

from pipeline.runtime import acknowledgements
from pipeline.runtime.acknowledgements import InFlight, ProducerRecord, send_all


class FakeFuture:
    """As kafka-python's future of a record, with its result set from the start or later."""

    def __init__(self, error: Exception | None = None, is_done: bool = True) -> None:
        self.error = error
        self.is_done = is_done

    def get(self, timeout: float) -> None:
        """Raise what became of the record."""
        assert self.is_done and timeout > 0
        if self.error is not None:
            raise self.error

    def succeeded(self) -> bool:
        """Whether the record is acknowledged."""
        return self.is_done and self.error is None


class FakeProducer:
    """Acknowledges each record at once, except the one whose value is `lost`."""

    def __init__(self) -> None:
        self.sent: list[bytes | None] = []

    def send(self, topic: str, value: bytes | None, key: bytes | None, **_: object) -> FakeFuture:
        """A future with its result."""
        self.sent.append(value)
        return FakeFuture(KafkaTimeoutError() if value == b"lost" else None)


def record(value: bytes) -> ProducerRecord:
    return ProducerRecord("topic", b"key", value, [], 0)


def test_every_record_is_acknowledged_in_the_order_of_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledgements, "MOST_IN_FLIGHT", 3)
    records = [record(b"%d" % number) for number in range(10)]
    acknowledged: list[ProducerRecord] = []
    send_all(FakeProducer(), records, acknowledged.append)
    assert acknowledged == records


@pytest.mark.parametrize(("limit", "value"), [("MOST_IN_FLIGHT", 2), ("MOST_BYTES_IN_FLIGHT", 8)])
def test_no_more_than_the_limit_is_in_flight(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(acknowledgements, limit, value)
    acknowledged: list[ProducerRecord] = []
    producer = FakeProducer()

    def records() -> Iterator[ProducerRecord]:
        for _ in range(20):
            assert len(producer.sent) - len(acknowledged) <= 2
            yield record(b"four")

    send_all(producer, records(), acknowledged.append)
    assert len(acknowledged) == 20


def test_the_first_record_that_is_not_acknowledged_ends_it_and_no_later_one_is_reported() -> None:
    acknowledged: list[ProducerRecord] = []
    with pytest.raises(KafkaTimeoutError):
        send_all(FakeProducer(), map(record, [b"first", b"lost", b"last"]), acknowledged.append)
    assert acknowledged == [record(b"first")]


def test_an_item_without_a_future_waits_for_its_turn_and_stays_until_it_is_removed() -> None:
    in_flight: InFlight[str] = InFlight()
    pending = FakeFuture(is_done=False)
    in_flight.add("sent", pending, 1)
    in_flight.add("refused", None, 1)
    assert settled(in_flight) == []
    pending.is_done = True
    assert settled(in_flight) == ["sent", "refused"]
    assert len(in_flight) == 0


def settled(in_flight: InFlight[str]) -> list[str]:
    """The items that need no more waiting; they are removed."""
    items = []
    while in_flight.is_oldest_settled:
        assert in_flight.wait_for_oldest() == in_flight.oldest
        items.append(in_flight.oldest)
        in_flight.remove_oldest()
    return items
