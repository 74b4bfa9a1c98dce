"""Acknowledgement by hand.

In: nothing. Out: the event class that the app is made with.
Never: let Faust acknowledge on its own. Its streams do so in `finally` blocks when an agent raised, and for messages
that it skips after a rebalance; either would commit past an event whose outputs are not durable.
"""

from collections.abc import AsyncIterator
from typing import Any

from faust.events import Event

from pipeline.worker.faust.partition_batch import FetchedRecord, Portion
from pipeline.worker.faust.record_sets import RecordSet


async def events_of(stream: Any) -> AsyncIterator["HandEvent"]:
    """The stream's events, none of them acknowledged.

    Faust's compiled iterator acknowledges skipped messages past `HandEvent.ack`; the plain one, asked for here by name,
    acknowledges through the event in every case.
    """
    quiet = stream.noack()
    async for _ in quiet._py_aiter():
        if quiet.current_event is not None:
            yield quiet.current_event


class HandEvent(Event):  # type: ignore[misc]
    """An event that only `ack_durable` acknowledges."""

    def ack(self) -> bool:
        """What Faust calls on its own: nothing happens."""
        return False

    def ack_durable(self) -> None:
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


def portion_of(message: Any) -> Portion:
    """What a Faust message holds: a whole record set, or one record (its timestamp in seconds)."""
    if isinstance(message.value, RecordSet):
        return Portion(message.partition, message.value.records)
    timestamp_ms = round(message.timestamp * 1000)
    headers = list(message.headers or [])
    return Portion(
        message.partition, [FetchedRecord(message.offset, timestamp_ms, message.key, message.value, headers)]
    )
