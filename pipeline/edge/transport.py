"""Faust's Kafka transport: partitions that stop and go on, and topics that are fetched as record sets.

In: record sets from the seam (`record_sets`), or records. Out: one Faust message a set or record; commits along what
is acknowledged.
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


class StoppableConsumer(Consumer):  # type: ignore[misc]
    """A partition can be stopped, and later go on from an offset where nothing behind it has been committed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._going_back: dict[TP, int] = {}

    def stop_taking(self, tp: TP) -> None:
        """Take no more of a partition. Faust passes over what it has fetched of it already, hence `go_on` goes back."""
        self.pause_partitions({tp})

    def go_on(self, tp: TP, offset: int) -> None:
        """Take the partition again, from this offset on."""
        self._going_back[tp] = offset

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """As Faust's. Going back happens here, since between two calls nothing that was fetched is under way."""
        for tp in list(self._going_back):
            await self._go_back(tp)
        async for one in super().getmany(timeout):
            yield one

    async def _go_back(self, tp: TP) -> None:
        offset = self._going_back.pop(tp)
        if self.flow_active and tp in self.assignment():
            self._expect(tp, offset)
            await self.seek_wait({tp: offset})
            self.resume_partitions({tp})

    def _expect(self, tp: TP, offset: int) -> None:
        """What comes next of this partition begins at the offset."""

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Under the new assignment fetching begins at what is committed, which lies before any stop."""
        self._going_back.clear()
        await super().on_partitions_revoked(revoked)


class SetConsumer(StoppableConsumer):
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

    def _expect(self, tp: TP, offset: int) -> None:
        if tp in self._progress:
            self._progress[tp].go_back(offset)

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
    _use(app, type("SetConsumer", (SetConsumer,), {"delivered_topics": frozenset(delivered)}))


def use_records(app: Any) -> None:
    """Let the app fetch every topic record by record."""
    _use(app, StoppableConsumer)


def _use(app: Any, consumer: type) -> None:
    transport = type("AllianceTransport", (Transport,), {"Consumer": consumer})
    app.transport = transport(app.conf.broker_consumer, app)
