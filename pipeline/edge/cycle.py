"""Group commit: while one batch is being made durable the next gathers.

In: events of one agent, each a portion of a partition, in the order of each partition. Out: batches of portions to a
function that returns when all their outputs are durable; then the acknowledgements, in order.
Never: acknowledge an event whose outputs are not durable, or go on after a bug: the process stops, offsets untouched.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mode import Service

from pipeline.edge.acks import HandEvent, portion_of
from pipeline.edge.endings import stop_bug, stop_stale
from pipeline.edge.outbox import Stale
from pipeline.edge.portions import Portion

#: From so many gathered records on a batch is full and the stream waits.
MOST_RECORDS = 5_000

Work = Callable[[list[Portion]], Awaitable[None]]


class Cycle(Service):  # type: ignore[misc]
    """One batch at a time; `work` must be right for any grouping of the same events."""

    def __init__(self, app: Any, name: str, work: Work, most_records: int = MOST_RECORDS) -> None:
        super().__init__()
        self._app = app
        self._name = name
        self._work = work
        self._most_records = most_records
        self._gathered: list[tuple[HandEvent, Portion]] = []
        self._gathered_records = 0
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()
        self._idle = asyncio.Event()
        self._has_room.set()
        self._idle.set()

    async def add(self, event: HandEvent) -> None:
        """Gather an event; waits while a full batch is already waiting."""
        await self._has_room.wait()
        portion = portion_of(event.message)
        self._gathered.append((event, portion))
        self._gathered_records += len(portion.records)
        self._arrived.set()
        if self._gathered_records >= self._most_records:
            self._has_room.clear()

    def _take_gathered(self) -> list[tuple[HandEvent, Portion]]:
        gathered, self._gathered = self._gathered, []
        self._gathered_records = 0
        self._has_room.set()
        return gathered

    async def settle(self) -> None:
        """Return when no batch is under way; what has only been gathered is given back to the log."""
        self._take_gathered()
        await self._idle.wait()

    @Service.task  # type: ignore[untyped-decorator]
    async def _run(self) -> None:
        while not self.should_stop:
            await self._arrived.wait()
            self._arrived.clear()
            batch = [one for one in self._take_gathered() if self._is_current(one[0])]
            if batch:
                await self._carry_out(batch)

    def _is_current(self, event: HandEvent) -> bool:
        """Whether the event was fetched under the present assignment; others will be fetched again."""
        return bool(event.message.generation_id == self._app.consumer_generation_id)

    async def _carry_out(self, batch: list[tuple[HandEvent, Portion]]) -> None:
        self._idle.clear()
        try:
            await self._work([portion for _, portion in batch])
        except asyncio.CancelledError as error:
            if not self.should_stop:
                # Nobody would be told otherwise: the process would go on and do nothing.
                stop_bug(f"{self._name} agent", error)
            raise
        except Stale:
            stop_stale()
        except Exception as error:  # noqa: BLE001 - the one place where a bug stops the process
            stop_bug(f"{self._name} agent", error)
        else:
            for event, _ in batch:
                event.ack_durable()
        finally:
            self._idle.set()
