"""Durable output: records that are on the log when `deliver` returns.

In: records in order. Out: nothing; the broker has acknowledged all of them.
Never: give up while the broker is away (it waits in place and says so in health), drop, or swallow what is a bug.

After a failure the whole list is sent again in its order: readers take the highest version, so a duplicate changes
nothing, and the last record of a key is the last on its partition.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

from pipeline.health import Health

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5


class Out(NamedTuple):
    """One record to send; `partition` None lets the key decide."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: list[tuple[str, bytes]] | None = None


class Stale(Exception):
    """The partitions were assigned anew while a batch was under way: another worker may already be further."""


class Outbox:
    """Sends through the app's own producer."""

    def __init__(self, app: Any, health: Health) -> None:
        self._app = app
        self._health = health

    async def deliver(self, records: Sequence[Out]) -> None:
        """Return once the broker has acknowledged every record; raises `Stale` when the partitions went meanwhile."""
        generation = self._app.consumer_generation_id
        while records:
            if self._app.consumer_generation_id != generation:
                raise Stale
            failure = await self._attempt(records)
            if failure is None:
                self._health.has("broker")
                return
            self._health.waits_for("broker", "the broker does not acknowledge what is sent")
            log.warning("The broker did not acknowledge (%s); sending again.", type(failure).__name__)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _attempt(self, records: Sequence[Out]) -> KafkaError | None:
        """Send all once; the first failure that may pass, or None. Any other failure is raised."""
        producer = self._app.producer
        acknowledgements = []
        failure: KafkaError | None = None
        try:
            for record in records:
                acknowledgements.append(
                    await producer.send(record.topic, record.key, record.value, record.partition, None, record.headers)
                )
        except ProducerSendError as error:
            failure = _passing(error)
        for outcome in await asyncio.gather(*acknowledgements, return_exceptions=True):
            if isinstance(outcome, BaseException):
                failure = failure or _passing(outcome)
        return failure


def _passing(error: BaseException) -> KafkaError:
    """The error when waiting may help; raises it when it is a bug or a wrong configuration."""
    cause = error.__cause__ if isinstance(error, ProducerSendError) and error.__cause__ else error
    if isinstance(cause, KafkaError) and (cause.retriable or type(cause).__name__ == "KafkaTimeoutError"):
        return cause
    raise cause
