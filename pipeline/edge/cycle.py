"""Group commit: while one batch is being made durable the next gathers.

In: events of one agent, in the order of each partition. Out: batches to a function that returns when all their outputs
are durable; then the acknowledgements, in order.
Never: acknowledge an event whose outputs are not durable, or go on after a bug: the process stops, offsets untouched.
"""

import asyncio
import logging
import os
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from mode import Service

from pipeline.edge.acks import HandEvent
from pipeline.edge.outbox import Stale

log = logging.getLogger(__name__)

#: Exit code of a process that met a bug.
EXIT_BUG = 70
#: Exit code of a process whose partitions went too soon; starting again is all that is needed.
EXIT_STALE = 75

Work = Callable[[list[HandEvent]], Awaitable[None]]


def stop_stale() -> None:
    """End the process: its states may lie behind those of the worker that has the partitions now."""
    log.critical("The partitions went before a batch was durable; the process stops and will start again here.")
    logging.shutdown()
    os._exit(EXIT_STALE)


class Cycle(Service):  # type: ignore[misc]
    """One batch at a time; `work` must be right for any grouping of the same events."""

    def __init__(self, app: Any, name: str, work: Work, most_events: int = 1000) -> None:
        super().__init__()
        self._app = app
        self._name = name
        self._work = work
        self._most_events = most_events
        self._gathered: list[HandEvent] = []
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()
        self._idle = asyncio.Event()
        self._has_room.set()
        self._idle.set()

    async def add(self, event: HandEvent) -> None:
        """Gather an event; waits while a full batch is already waiting."""
        await self._has_room.wait()
        self._gathered.append(event)
        self._arrived.set()
        if len(self._gathered) >= self._most_events:
            self._has_room.clear()

    async def settle(self) -> None:
        """Return when no batch is under way; what has only been gathered is given back to the log."""
        self._gathered.clear()
        self._has_room.set()
        await self._idle.wait()

    @Service.task  # type: ignore[untyped-decorator]
    async def _run(self) -> None:
        while not self.should_stop:
            await self._arrived.wait()
            self._arrived.clear()
            batch = [event for event in self._gathered if self._is_current(event)]
            self._gathered = []
            self._has_room.set()
            if batch:
                await self._carry_out(batch)

    def _is_current(self, event: HandEvent) -> bool:
        """Whether the event was fetched under the present assignment; others will be fetched again."""
        return bool(event.message.generation_id == self._app.consumer_generation_id)

    async def _carry_out(self, batch: list[HandEvent]) -> None:
        self._idle.clear()
        try:
            await self._work(batch)
        except asyncio.CancelledError:
            raise
        except Stale:
            stop_stale()
        except Exception as error:  # noqa: BLE001 - the one place where a bug stops the process
            # A state may be ahead of the log now, so nothing may follow: a new process gets the events again.
            # The message of the error may hold data of a client, so only its type and place are logged.
            log.critical(
                "The %s agent met a bug (%s); the process stops, offsets untouched. Please report this:\n%s",
                self._name,
                type(error).__name__,
                "".join(traceback.format_tb(error.__traceback__)),
            )
            logging.shutdown()
            os._exit(EXIT_BUG)
        else:
            for event in batch:
                event.ack_durable()
        finally:
            self._idle.set()
