"""Faust's Kafka transport for topics that are fetched as record sets.

In: record sets from the seam (`record_sets`). Out: one Faust message a set; commits along acknowledged sets.
Never: commit past a set whose outputs are not durable. Faust's own book-keeping counts single offsets and takes what
lies between two messages for nothing, so it is not asked about these topics.
"""

from collections.abc import Iterable
from typing import Any

from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP

from pipeline.edge.progress import Progress
from pipeline.edge.record_sets import RecordSet, fetch_as_sets


class SetConsumer(Consumer):  # type: ignore[misc]
    """Delivers and commits whole sets; other topics (none, in a worker) go Faust's way."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._progress: dict[TP, Progress] = {}

    def _to_message(self, tp: TP, record: Any) -> Any:
        if isinstance(record, RecordSet):
            self._progress.setdefault(tp, Progress()).deliver(record.start, record.end)
        return super()._to_message(tp, record)

    def ack(self, message: Any) -> bool:
        """All outputs of a message, one set, are durable."""
        if not isinstance(message.value, RecordSet):
            return bool(super().ack(message))
        progress = self._progress.get(message.tp)
        if progress is None or message.acked or message.generation_id != self.app.consumer_generation_id:
            return False
        message.acked = True
        progress.acknowledge(message.value.start, message.value.end)
        self._acked[message.tp].append(message.offset)
        return True

    def _new_offset(self, tp: TP) -> int | None:
        progress = self._progress.get(tp)
        if progress is None:
            offset: int | None = super()._new_offset(tp)
            return offset
        self._acked[tp].clear()
        return progress.advance()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp not in self._progress:
            await super()._add_gap(tp, offset_from, offset_to)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """What was delivered under the old assignment is fetched again under the new one."""
        await super().on_partitions_revoked(revoked)
        self._progress.clear()

    async def perform_seek(self) -> None:
        """Fetching begins anew at what is committed."""
        await super().perform_seek()
        self._progress.clear()


class SetTransport(Transport):  # type: ignore[misc]
    """The transport of a worker."""

    Consumer = SetConsumer


def use_record_sets(app: Any, topics: Iterable[str]) -> None:
    """Let the app fetch these topics as record sets."""
    fetch_as_sets(topics)
    app.transport = SetTransport(app.conf.broker_consumer, app)
