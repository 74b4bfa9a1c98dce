"""Group commit: while one batch is being made durable the next gathers.

In: events of one agent, each a portion of a partition, in the order of each partition. Out: batches of portions to a
function that returns when all their outputs are durable; then the acknowledgements, in order. A partition that the
function keeps is not acknowledged: the consumer takes no more of it until `wake`, and then from there again.
Never: acknowledge an event whose outputs are not durable, or go on after a bug: the process stops, offsets untouched.
"""

import asyncio
from collections.abc import Awaitable, Callable, Set
from contextlib import suppress
from typing import Any

from faust.types import TP
from mode import Service

from pipeline.worker.faust.durable_producer import Fenced
from pipeline.worker.faust.exits import exit_on_bug, exit_when_fenced
from pipeline.worker.faust.manual_ack import ManualAckEvent, partition_batch_of, start_of
from pipeline.worker.faust.partition_batch import PartitionBatch

#: From so many gathered records on a batch is full and the stream waits.
MOST_RECORDS = 5_000

#: After a batch of at least so many records the next one waits for as many as `FEW_RECORDS`, but no longer than this:
#: small sets would else be told of, and kept, one by one. At rest nobody waits.
BUSY_RECORDS = 100
FEW_RECORDS = 2_000
GATHER_SECONDS = 0.05

#: Returns the partitions of the batch that are kept: of these nothing is to be acknowledged.
Work = Callable[[list[PartitionBatch]], Awaitable[Set[int]]]


class GroupCommit(Service):  # type: ignore[misc]
    """One batch at a time; `work` must be right for any grouping of the same events."""

    def __init__(self, app: Any, name: str, work: Work, most_records: int = MOST_RECORDS) -> None:
        super().__init__()
        self._app = app
        self._name = name
        self._work = work
        self._most_records = most_records
        self._gathered: list[tuple[ManualAckEvent, PartitionBatch]] = []
        self._gathered_records = 0
        self._is_busy = False
        self._arrived = asyncio.Event()
        self._has_many = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        #: From the moment in which partitions go until the next assignment.
        self._is_settled = False
        #: Held while a batch is under way; whoever else holds it acts between two batches.
        self.at_rest = asyncio.Lock()
        #: Where the partitions that are kept go on.
        self._kept: dict[TP, int] = {}
        #: Where those that were woken begin again; what was under way before comes once more after it.
        self._awaited: dict[TP, int] = {}

    async def add(self, event: ManualAckEvent) -> None:
        """Gather an event; waits while a full batch is already waiting."""
        await self._has_room.wait()
        portion = partition_batch_of(event.message)
        self._gathered.append((event, portion))
        self._gathered_records += len(portion.records)
        self._arrived.set()
        if self._gathered_records >= FEW_RECORDS:
            self._has_many.set()
        if self._gathered_records >= self._most_records:
            self._has_room.clear()

    def _next_batch(self) -> list[tuple[ManualAckEvent, PartitionBatch]]:
        gathered, self._gathered = self._gathered, []
        self._is_busy = self._gathered_records >= BUSY_RECORDS
        self._gathered_records = 0
        self._has_many.clear()
        self._has_room.set()
        return gathered

    async def _gather_more(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_many.wait(), GATHER_SECONDS)

    async def settle(self) -> None:
        """Return when no batch is under way; no other one begins before `open`. What has only been gathered is given
        back to the log."""
        self._is_settled = True
        self._next_batch()
        async with self.at_rest:
            self._kept.clear()
            self._awaited.clear()

    def open(self) -> None:
        """Partitions have been assigned: their events are taken."""
        self._is_settled = False

    def wake(self, partition: int) -> None:
        """What was kept of this partition is fetched again. To be called at rest."""
        for tp in [one for one in self._kept if one.partition == partition]:
            self._awaited[tp] = self._kept.pop(tp)
            self._app.consumer.go_on(tp, self._awaited[tp])

    @Service.task  # type: ignore[untyped-decorator]
    async def _run(self) -> None:
        while not self.should_stop:
            await self._arrived.wait()
            if self._is_busy:
                await self._gather_more()
            self._arrived.clear()
            async with self.at_rest:
                batch = [one for one in self._next_batch() if self._is_in_turn(one[0])]
                if batch:
                    await self._carry_out(batch)

    def _is_current(self, event: ManualAckEvent) -> bool:
        """Whether the event was fetched under the present assignment; others will be fetched again."""
        return not self._is_settled and bool(event.message.generation_id == self._app.consumer_generation_id)

    def _is_in_turn(self, event: ManualAckEvent) -> bool:
        """Whether nothing before the event was left out; others will be fetched again. To be asked in order, once."""
        if not self._is_current(event):
            return False
        tp = _place_of(event)
        if tp in self._awaited:
            if start_of(event.message) != self._awaited[tp]:
                return False
            del self._awaited[tp]
        return True

    async def _carry_out(self, batch: list[tuple[ManualAckEvent, PartitionBatch]]) -> None:
        try:
            kept = await self._work([portion for _, portion in batch])
        except asyncio.CancelledError as error:
            if not self.should_stop:
                # Nobody would be told otherwise: the process would go on and do nothing.
                exit_on_bug(f"{self._name} agent", error)
            raise
        except Fenced:
            exit_when_fenced()
        except Exception as error:  # noqa: BLE001 - the one place where a bug stops the process
            exit_on_bug(f"{self._name} agent", error)
        else:
            for event, portion in batch:
                if portion.partition in kept:
                    self._keep(event)
                else:
                    event.acknowledge()

    def _keep(self, event: ManualAckEvent) -> None:
        tp = _place_of(event)
        if tp not in self._kept and self._is_current(event):
            self._kept[tp] = start_of(event.message)
            self._app.consumer.pause(tp)


def _place_of(event: ManualAckEvent) -> TP:
    """Not the message's own `tp`, which is aiokafka's class: Faust insists on its own where partitions are resumed."""
    return TP(event.message.topic, event.message.partition)
