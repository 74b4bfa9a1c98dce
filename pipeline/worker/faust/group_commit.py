"""Group commit: while one batch is being made durable, the next one is gathered.

In: the events of one agent; each carries a record set, and the sets of a partition come in order. Out: batches for a
function that returns once all their outputs are durable; then the events are acknowledged in order, and Faust commits
their offsets. If the function reports a partition as paused, its events are not acknowledged and the consumer pauses
it; `resume` has it fetched again from its first event that is not acknowledged.
Never: acknowledge an event whose outputs are not durable; continue after a bug (the process ends without committing).
"""

import asyncio
from collections.abc import Awaitable, Callable, Set
from contextlib import suppress
from typing import Any

from faust.types import TP
from mode import Service

from pipeline.worker.faust.durable_producer import Fenced
from pipeline.worker.faust.exits import exit_on_bug, exit_when_fenced
from pipeline.worker.faust.manual_ack import ManualAckEvent, partition_batch_of, record_set_of, tp_of
from pipeline.worker.faust.partition_batch import PartitionBatch

#: A batch with this many records is full, and the stream waits until it has been handed over: while a batch is in
#: progress, all states that it changes are decoded in memory.
MAX_RECORDS = 5_000

#: After a batch of at least `BUSY_RECORDS` the next batch waits until it has `ENOUGH_RECORDS`, but no longer than
#: `GATHER_SECONDS`. Otherwise each small record set would cost a state and a summary of its own ("Small sets" in
#: docs/benchmarks/engine.md). When the worker is idle an event does not wait.
BUSY_RECORDS = 100
ENOUGH_RECORDS = 2_000
GATHER_SECONDS = 0.05

#: Makes a batch durable and returns the partitions that are paused: their events are not to be acknowledged.
Work = Callable[[list[PartitionBatch]], Awaitable[Set[int]]]


class GroupCommit(Service):  # type: ignore[misc]
    """One batch at a time. `work` must give the same result however the events are grouped into batches."""

    def __init__(self, app: Any, name: str, work: Work) -> None:
        super().__init__()
        self._app = app
        self._name = name
        self._work = work
        self._gathered: list[ManualAckEvent] = []
        self._gathered_records = 0
        self._is_busy = False
        self._has_any = asyncio.Event()
        self._has_enough = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        #: True between a revocation of partitions and the next assignment.
        self._is_revoked = False
        #: Held while a batch is in progress. Anyone else who holds it acts between two batches.
        self.idle_lock = asyncio.Lock()
        #: Paused partitions, and the offset of the first record that was not acknowledged.
        self._paused: dict[TP, int] = {}
        #: Resumed partitions, and where they begin again. Events that were fetched before that are skipped.
        self._resume_at: dict[TP, int] = {}

    async def add(self, event: ManualAckEvent) -> None:
        """Gather an event; waits while a full batch is already waiting."""
        await self._has_room.wait()
        self._gathered.append(event)
        self._gathered_records += len(record_set_of(event.message).records)
        self._has_any.set()
        if self._gathered_records >= ENOUGH_RECORDS:
            self._has_enough.set()
        if self._gathered_records >= MAX_RECORDS:
            self._has_room.clear()

    async def on_partitions_revoked(self) -> None:
        """Return once no batch is in progress; none begins before the next assignment. Gathered events are dropped:
        they are not acknowledged, so the next owner of the partition gets them."""
        self._is_revoked = True
        self._next_batch()
        async with self.idle_lock:
            self._paused.clear()
            self._resume_at.clear()

    def on_partitions_assigned(self) -> None:
        """Batches may begin again."""
        self._is_revoked = False

    def resume(self, partition: int) -> None:
        """Fetch a paused partition again from its first unacknowledged record. Call it with `idle_lock` held."""
        for tp in [tp for tp in self._paused if tp.partition == partition]:
            self._resume_at[tp] = self._paused.pop(tp)
            self._app.consumer.resume_from(tp, self._resume_at[tp])

    @Service.task  # type: ignore[untyped-decorator]
    async def _run(self) -> None:
        while not self.should_stop:
            await self._has_any.wait()
            if self._is_busy:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._has_enough.wait(), GATHER_SECONDS)
            self._has_any.clear()
            async with self.idle_lock:
                events = [event for event in self._next_batch() if self._is_next(event)]
                if events:
                    await self._make_durable(events)

    def _next_batch(self) -> list[ManualAckEvent]:
        gathered, self._gathered = self._gathered, []
        self._is_busy = self._gathered_records >= BUSY_RECORDS
        self._gathered_records = 0
        self._has_enough.clear()
        self._has_room.set()
        return gathered

    def _is_current(self, event: ManualAckEvent) -> bool:
        """Whether the event was fetched under the present assignment; others will be fetched again."""
        return not self._is_revoked and bool(event.message.generation_id == self._app.consumer_generation_id)

    def _is_next(self, event: ManualAckEvent) -> bool:
        """Whether no event before this one was skipped. To be asked once for each event, in order."""
        if not self._is_current(event):
            return False
        tp = tp_of(event.message)
        if tp in self._resume_at:
            if record_set_of(event.message).start != self._resume_at[tp]:
                return False
            del self._resume_at[tp]
        return True

    async def _make_durable(self, events: list[ManualAckEvent]) -> None:
        try:
            paused = await self._work([partition_batch_of(event.message) for event in events])
        except asyncio.CancelledError as error:
            if not self.should_stop:
                # Faust would not notice: the process would run on and process nothing.
                exit_on_bug(f"{self._name} agent", error)
            raise
        except Fenced:
            exit_when_fenced()
        except Exception as error:  # noqa: BLE001 - the one place where a bug stops the process
            exit_on_bug(f"{self._name} agent", error)
        else:
            for event in events:
                if event.message.partition in paused:
                    self._pause(event)
                else:
                    event.acknowledge()

    def _pause(self, event: ManualAckEvent) -> None:
        tp = tp_of(event.message)
        if tp not in self._paused and self._is_current(event):
            self._paused[tp] = record_set_of(event.message).start
            self._app.consumer.pause(tp)
