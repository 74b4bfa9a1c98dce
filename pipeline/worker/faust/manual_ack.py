"""Manual acknowledgement: an event is acknowledged when the worker says so, and at no other time.

In: Faust's messages, each of which carries a record set. Out: the event class that the app is created with.
Never: let Faust acknowledge by itself. Its streams do so in `finally` blocks when an agent raised, and for messages
that they skip after a rebalance; both would commit past an event whose outputs are not durable.
"""

from collections.abc import AsyncIterator
from typing import Any

from faust.events import Event
from faust.types import TP

from pipeline.worker.faust.partition_batch import PartitionBatch
from pipeline.worker.faust.record_sets import RecordSet


async def events_of(stream: Any) -> AsyncIterator["ManualAckEvent"]:
    """The stream's events, none of them acknowledged."""
    unacknowledged = stream.noack()
    # Private: the public iterator is compiled and acknowledges skipped messages without calling `Event.ack`. The pure
    # Python one always calls it.
    async for _ in unacknowledged._py_aiter():
        if unacknowledged.current_event is not None:
            yield unacknowledged.current_event


class ManualAckEvent(Event):  # type: ignore[misc]
    """An event that only `acknowledge` acknowledges."""

    def ack(self) -> bool:
        """Called by Faust; does nothing."""
        return False

    def acknowledge(self) -> None:
        """All outputs of this event, and of every earlier event of its partition, are durable."""
        super().ack()

    async def __aexit__(self, *error: Any) -> None:
        """Called at the end of an `async with event` block; Faust's own acknowledges here."""
        return


def record_set_of(message: Any) -> RecordSet:
    """The record set that a Faust message carries."""
    record_set: RecordSet = message.value
    return record_set


def partition_batch_of(message: Any) -> PartitionBatch:
    """The records of a Faust message, as an agent gets them."""
    return PartitionBatch(message.partition, record_set_of(message).records)


def tp_of(message: Any) -> TP:
    """The partition of a Faust message. Its own `tp` is aiokafka's class, which Faust does not accept for resuming."""
    return TP(message.topic, message.partition)
