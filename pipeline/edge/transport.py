"""Faust's Kafka transport for topics that are fetched as record sets.

In: record sets from the seam (`record_sets`). Out: one Faust message a set; commits along acknowledged sets.
Never: commit past a set whose outputs are not durable. Faust's own book-keeping counts single offsets and takes what
lies between two messages for nothing, so it is not asked about these topics.
"""

import logging
from collections.abc import AsyncIterator, Iterable
from typing import Any

from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP

from pipeline.edge.progress import Progress
from pipeline.edge.record_sets import RecordSet, fetch_as_sets

log = logging.getLogger(__name__)


class SetConsumer(Consumer):  # type: ignore[misc]
    """Delivers and commits whole sets; other topics go Faust's way."""

    #: The topics whose sets go to agents; those of changelogs are recovered from, not committed.
    delivered_topics: frozenset[str] = frozenset()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._progress: dict[TP, Progress] = {}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Messages in the order of their partition and without a hole; what came out of turn is fetched again.

        After a rebalance Faust resumes partitions before it has sought back to the committed offsets, and it passes
        over what it has fetched of a partition that is paused at that moment.
        """
        async for tp, message in super().getmany(timeout):
            progress, fetched = self._progress.get(tp), message.value
            if progress is None or progress.deliver(fetched.start, fetched.end):
                yield tp, message
            else:
                log.info("%s came from %d on, wanted from %d: fetching again.", tp, fetched.start, progress.wanted)
                await self.seek_wait({tp: progress.wanted})

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
        """Fetching begins anew at what is committed, or where the log begins now."""
        await super().perform_seek()
        places = [tp for tp in self.assignment() if tp.topic in self.delivered_topics]
        beginnings = await self.earliest_offsets(*places) if places else {}
        self._progress = {tp: Progress(max(self._committed_offset[tp] or 0, beginnings[tp])) for tp in places}


def use_record_sets(app: Any, delivered: Iterable[str], recovered: Iterable[str]) -> None:
    """Let the app fetch these topics as record sets: those that agents read, and those behind tables."""
    fetch_as_sets([*delivered, *recovered])
    consumer = type("SetConsumer", (SetConsumer,), {"delivered_topics": frozenset(delivered)})
    transport = type("SetTransport", (Transport,), {"Consumer": consumer})
    app.transport = transport(app.conf.broker_consumer, app)
