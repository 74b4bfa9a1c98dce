"""Durable output: records that are on the log when `deliver` returns.

In: records in order. Out: nothing; the broker has acknowledged all of them.
Never: give up while the broker is away (it waits in place and says so in health), drop, or swallow what is a bug.

After a failure the whole list is sent again in its order: readers take the highest version, so a duplicate changes
nothing, and the last record of a key is the last on its partition.

Records of one partition go into record batches built here, as large as a request may be: one future a batch, where the
producer's own way costs one a record.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from pipeline.runtime.health import Health

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5
#: Bytes of a record batch; a topic takes 1 MiB, and one record may be larger than the rest of its batch.
BATCH_BYTES = 512 * 1024


class OutgoingRecord(NamedTuple):
    """One record to send; `partition` None lets the key decide."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: list[tuple[str, bytes]] | None = None


class Fenced(Exception):
    """The partitions were assigned anew while a batch was under way: another worker may already be further."""


@lru_cache(maxsize=100_000)
def hash_of(key: bytes) -> int:
    """What every Kafka client's default partitioner makes of a key."""
    return murmur2(key) & 0x7FFFFFFF  # type: ignore[no-any-return]


class DurableProducer:
    """Sends through the app's own producer."""

    def __init__(self, app: Any, health: Health) -> None:
        self._app = app
        self._health = health

    async def deliver(self, records: Sequence[OutgoingRecord]) -> None:
        """Return once the broker has acknowledged every record; raises `Fenced` when the partitions went meanwhile."""
        generation = self._app.consumer_generation_id
        while records:
            failure = await self._attempt(records)
            self._raise_if_fenced(generation)
            if failure is None:
                self._health.has("broker")
                return
            self._health.waits_for("broker", "the broker does not acknowledge what is sent")
            log.warning("The broker did not acknowledge (%s); sending again.", type(failure).__name__)
            await asyncio.sleep(PAUSE_SECONDS)
            self._raise_if_fenced(generation)

    def _raise_if_fenced(self, generation: int) -> None:
        if self._app.consumer_generation_id != generation:
            raise Fenced

    async def _attempt(self, records: Sequence[OutgoingRecord]) -> KafkaError | None:
        """Send all once; the first failure that may pass, or None. Any other failure is raised."""
        producer = self._app.producer._ensure_producer()
        acknowledgements = []
        failure: KafkaError | None = None
        try:
            for (topic, partition), of_one in (await _by_partition(producer, records)).items():
                for batch in _batches(producer, of_one):
                    acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
        except KafkaError as error:
            failure = _passing(error)
        for outcome in await asyncio.gather(*acknowledgements, return_exceptions=True):
            if isinstance(outcome, BaseException):
                failure = failure or _passing(outcome)
        return failure


async def _by_partition(
    producer: Any, records: Sequence[OutgoingRecord]
) -> dict[tuple[str, int], list[OutgoingRecord]]:
    """The records of each partition, in order; a record without key and partition goes to the first."""
    counts = {topic: len(await producer.partitions_for(topic)) for topic in {record.topic for record in records}}
    found: dict[tuple[str, int], list[OutgoingRecord]] = defaultdict(list)
    for record in records:
        partition = record.partition
        if partition is None:
            partition = 0 if record.key is None else hash_of(record.key) % counts[record.topic]
        found[record.topic, partition].append(record)
    return found


def _batches(producer: Any, records: Sequence[OutgoingRecord]) -> list[Any]:
    """Closed record batches that hold these records in their order."""
    batches = []
    batch: Any = None
    for record in records:
        if batch is None or not _append(batch, record):
            batch = producer.create_batch()
            batches.append(batch)
            if not _append(batch, record):
                raise AssertionError("an empty batch takes a record of any size")
    for batch in batches:
        batch.close()
    return batches


def _append(batch: Any, record: OutgoingRecord) -> bool:
    return batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers or []) is not None


def _passing(error: BaseException) -> KafkaError:
    """The error when waiting may help; raises it when it is a bug or a wrong configuration."""
    if isinstance(error, KafkaError) and (error.retriable or type(error).__name__ == "KafkaTimeoutError"):
        return error
    raise error
