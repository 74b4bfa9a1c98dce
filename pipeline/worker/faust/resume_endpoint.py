"""How somebody's word that a stopped partition may go on reaches the app.

In: `POST /resume/PARTITION`, in a thread of the worker's HTTP server. Out: a status and one sentence for a person.
Never: act in that thread: the app is touched in its own loop only.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from aiokafka.errors import KafkaError

from pipeline.runtime.http import Reply

#: For so long a request waits for the batch under way and for the broker.
WAIT_SECONDS = 30.0
PREFIX = "/resume/"

Resume = Callable[[int], Awaitable[Reply]]

NOT_YET = Reply(503, "The worker has not got its partitions yet. Try again in a moment.")
TOO_LONG = Reply(503, "The worker waits for the broker. See its /health, and try again once the broker answers.")
UNKNOWN = Reply(404, "There is POST /resume/PARTITION, where PARTITION is a number.")


class ResumeEndpoint:
    """Takes requests from any thread; answers once the app has opened it."""

    def __init__(self) -> None:
        self._way_in: tuple[asyncio.AbstractEventLoop, Resume] | None = None

    def open(self, resume: Resume) -> None:
        """From now on requests go to `resume`, in the loop that runs now."""
        self._way_in = asyncio.get_running_loop(), resume

    def reply(self, path: str) -> Reply:
        """What becomes of a POST to this path."""
        number = path.removeprefix(PREFIX)
        if not path.startswith(PREFIX) or not number.isdecimal():
            return UNKNOWN
        if self._way_in is None:
            return NOT_YET
        loop, resume = self._way_in
        return _outcome(asyncio.run_coroutine_threadsafe(_awaited(resume, int(number)), loop))


async def _awaited(resume: Resume, partition: int) -> Reply:
    return await asyncio.wait_for(resume(partition), WAIT_SECONDS)


def _outcome(future: "Future[Any]") -> Reply:
    try:
        reply: Reply = future.result()
    except (TimeoutError, KafkaError):
        return TOO_LONG
    return reply
