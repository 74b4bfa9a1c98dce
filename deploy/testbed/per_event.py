"""The worker as Faust would run it by default: one Faust event for each record, offsets committed by Faust's own count.

`python -m deploy.testbed.per_event COMMAND` runs `alliance COMMAND` like this. Benchmarks compare the worker with it,
and a test checks that both give the same results.

In: the worker's app, before it is started. Out: an app that fetches record by record.
Never: an installation: after a rebalance Faust may commit past an event that was not processed (docs/decisions/0008).
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from faust.types import TP

from deploy.testbed.records import PlainRecord
from pipeline.worker import app as worker_app
from pipeline.worker.faust.consumer import PausableConsumer, use_consumer
from pipeline.worker.faust.record_sets import RecordSet

#: Events that Faust's queues hold before fetching waits.
BUFFERED_EVENTS = 4096


class PerEventConsumer(PausableConsumer):
    """Faust's own fetching and counting; only the value that an agent gets is a record set, of this one record."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """As Faust's."""
        async for tp, message in super().getmany(timeout):
            message.value = set_of_one(message)
            yield tp, message


def set_of_one(message: Any) -> RecordSet:
    """A record set that holds a Faust message (its timestamp is in seconds)."""
    record = PlainRecord(
        message.offset, round(message.timestamp * 1000), message.key, message.value, list(message.headers or [])
    )
    # Recovery requires that sets follow each other without a gap, but compaction leaves gaps between single records.
    start = 0 if message.topic.endswith("-changelog") else message.offset
    return RecordSet(message.topic, message.partition, [record], start, message.offset + 1)


def use_single_events(app: Any, delivered: Iterable[str], recovered: Iterable[str]) -> None:
    """Takes the place of `use_record_sets` when the app is created."""
    app.conf.stream_buffer_maxsize = BUFFERED_EVENTS
    use_consumer(app, PerEventConsumer)


def fetch_single_events() -> None:
    """From now on a worker that is created in this process fetches record by record."""
    worker_app.use_record_sets = use_single_events  # type: ignore[attr-defined]


def main() -> None:
    """Run one of the commands of `alliance`."""
    from alliance.cli import main as alliance

    fetch_single_events()
    alliance()


if __name__ == "__main__":
    main()
