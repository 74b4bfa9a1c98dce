"""Acknowledgement by hand.

In: nothing. Out: the event class that the app is made with.
Never: let Faust acknowledge on its own. Its streams do so in `finally` blocks when an agent raised, and for messages
that it skips after a rebalance; either would commit past an event whose outputs are not durable.
"""

from collections.abc import AsyncIterator
from typing import Any

from faust.events import Event

from pipeline.worker.faust.partition_batch import PartitionBatch, PlainRecord
from pipeline.worker.faust.record_sets import RecordSet


async def events_of(stream: Any) -> AsyncIterator["ManualAckEvent"]:
    """The stream's events, none of them acknowledged.

    Faust's compiled iterator acknowledges skipped messages without calling `ManualAckEvent.ack`. The pure Python
    iterator, which is asked for here by name, always calls it.
    """
    quiet = stream.noack()
    async for _ in quiet._py_aiter():
        if quiet.current_event is not None:
            yield quiet.current_event


class ManualAckEvent(Event):  # type: ignore[misc]
    """An event that only `acknowledge` acknowledges."""

    def ack(self) -> bool:
        """What Faust calls on its own: nothing happens."""
        return False

    def acknowledge(self) -> None:
        """All outputs of this event, and of every earlier one of its partition, are durable."""
        super().ack()

    async def __aexit__(self, *error: Any) -> None:
        """Leaving an `async with event` block acknowledges nothing either."""
        return


def start_of(message: Any) -> int:
    """From which offset to fetch so that this message comes again."""
    return int(message.value.start if isinstance(message.value, RecordSet) else message.offset)


def end_of(message: Any) -> int:
    """From which offset on nothing of this message comes again."""
    return int(message.value.end if isinstance(message.value, RecordSet) else message.offset + 1)


def partition_batch_of(message: Any) -> PartitionBatch:
    """What a Faust message holds: a whole record set, or one record (its timestamp in seconds)."""
    if isinstance(message.value, RecordSet):
        return PartitionBatch(message.partition, message.value.records)
    timestamp_ms = round(message.timestamp * 1000)
    headers = list(message.headers or [])
    return PartitionBatch(
        message.partition, [PlainRecord(message.offset, timestamp_ms, message.key, message.value, headers)]
    )
