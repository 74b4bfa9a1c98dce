"""`POST /resume/PARTITION`: how an operator's `alliance resume` reaches a paused partition.

In: a path, in a thread of the worker's HTTP server. Out: a status and one sentence for a person.
Never: touch the app from that thread: everything happens in the app's own event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from pipeline.runtime.http import Reply
from pipeline.worker.faust.group_commit import GroupCommit
from pipeline.worker.faust.paused_partitions import PausedPartitions
from schemas.topics import EVENTS

#: How long a request waits for the batch in progress and for the broker; `alliance resume` waits twice as long.
WAIT_SECONDS = 30.0
PREFIX = "/resume/"

Resume = Callable[[int], Awaitable[Reply]]

NOT_YET = Reply(503, "The worker does not have its partitions yet. Try again in a moment.")
TOO_LONG = Reply(503, "The worker is waiting for the broker. See its /health, and try again when the broker answers.")
UNKNOWN = Reply(404, "Use POST /resume/PARTITION, where PARTITION is a number.")


class ResumeEndpoint:
    """Accepts requests from any thread; answers 503 until the app is connected."""

    def __init__(self) -> None:
        self._connection: tuple[asyncio.AbstractEventLoop, Resume] | None = None

    def connect(self, resume: Resume) -> None:
        """From now on requests go to `resume`, in the event loop that runs now."""
        self._connection = asyncio.get_running_loop(), resume

    def reply(self, path: str) -> Reply:
        """The answer to a POST to this path."""
        number = path.removeprefix(PREFIX)
        if not path.startswith(PREFIX) or not number.isdecimal():
            return UNKNOWN
        if self._connection is None:
            return NOT_YET
        loop, resume = self._connection
        return _result(asyncio.run_coroutine_threadsafe(_within_time(resume, int(number)), loop))


async def _within_time(resume: Resume, partition: int) -> Reply:
    return await asyncio.wait_for(resume(partition), WAIT_SECONDS)


def _result(future: "Future[Any]") -> Reply:
    try:
        reply: Reply = future.result()
    except (TimeoutError, KafkaError):
        return TOO_LONG
    return reply


async def resume_partition(app: Any, commit: GroupCommit, paused: PausedPartitions, partition: int) -> Reply:
    """Process everything that a paused partition holds at this moment without the rejection limit."""
    tp = TP(EVENTS, partition)
    if tp not in app.consumer.assignment():
        return Reply(404, f"This worker does not have partition {partition}. Ask another one: --worker HOST:PORT.")
    if partition not in paused.partitions:
        return Reply(409, f"Partition {partition} is not paused. The worker's /health lists the paused partitions.")
    end = (await app.consumer.highwaters(tp))[tp]
    async with commit.idle_lock:
        # It may have gone to another worker while the broker was asked.
        if partition in paused.partitions:
            paused.accept_before(partition, end)
            commit.resume(partition)
    return Reply(
        200, f"Partition {partition} resumes; its records before offset {end} do not count for the rejection limit."
    )
