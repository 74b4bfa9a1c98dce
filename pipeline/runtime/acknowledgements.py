"""Sending many records and waiting for each acknowledgement, in the order in which they were sent.

In: a producer, records. Out: a call for each record, in order, once the broker has acknowledged it; or `KafkaError`.
Never: report a record whose predecessor is not acknowledged; hold more in memory than the limits say.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from kafka import KafkaProducer

Item = TypeVar("Item")

#: How many items, and how many bytes of them, may be in flight at once.
MOST_IN_FLIGHT = 5_000
MOST_BYTES_IN_FLIGHT = 16 * 1024 * 1024
#: How long to wait for one acknowledgement. The producer itself gives a record up earlier (`delivery_timeout_ms`).
ACK_SECONDS = 45.0


class ProducerRecord(NamedTuple):
    """A record as it is handed to a producer."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int


def send_all(
    producer: KafkaProducer, records: Iterable[ProducerRecord], on_acknowledged: Callable[[ProducerRecord], None]
) -> None:
    """Send all records and return when all are acknowledged; raises `KafkaError` at the first that was not."""
    in_flight: InFlight[ProducerRecord] = InFlight()

    def settle_while(is_needed: Callable[[], bool]) -> None:
        while is_needed():
            on_acknowledged(in_flight.wait_for_oldest())
            in_flight.remove_oldest()

    for record in records:
        in_flight.add(record, send(producer, record), len(record.value or b""))
        settle_while(lambda: in_flight.is_full)
    settle_while(lambda: bool(in_flight))


def send(producer: KafkaProducer, record: ProducerRecord) -> Any:
    """Hand a record to the producer; returns kafka-python's future."""
    return producer.send(
        record.topic, record.value, record.key, headers=record.headers, timestamp_ms=record.timestamp_ms
    )


class _Waiting(NamedTuple, Generic[Item]):
    item: Item
    future: Any
    size: int


class InFlight(Generic[Item]):
    """Items that wait for their acknowledgement, oldest first; an item without a future waits only for its turn."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting[Item]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the oldest item must be settled before the next one is added."""
        return len(self._waiting) > MOST_IN_FLIGHT or self._bytes > MOST_BYTES_IN_FLIGHT

    @property
    def oldest(self) -> Item:
        """The item whose turn it is."""
        return self._waiting[0].item

    @property
    def is_oldest_settled(self) -> bool:
        """Whether the oldest item, if there is one, needs no more waiting."""
        if not self._waiting:
            return False
        future = self._waiting[0].future
        return future is None or bool(future.succeeded())

    def add(self, item: Item, future: Any, size: int) -> None:
        """Add an item of `size` bytes."""
        self._waiting.append(_Waiting(item, future, size))
        self._bytes += size

    def wait_for_oldest(self) -> Item:
        """The oldest item, once it is acknowledged; it stays until it is removed. Raises `KafkaError`."""
        item, future, _ = self._waiting[0]
        if future is not None:
            future.get(ACK_SECONDS)
        return item

    def remove_oldest(self) -> None:
        """The oldest item has been reported."""
        self._bytes -= self._waiting.popleft().size
