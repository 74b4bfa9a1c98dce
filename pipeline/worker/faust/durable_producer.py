"""Durable output: the records are on the log when `deliver` returns.

In: records in order. Out: nothing, once the broker has acknowledged all of them.
Never: give up while the broker is away (it waits and says so in health); drop a record; catch what is a bug.

After a failure the whole list is sent again in its order. Readers keep the highest version, so a duplicate changes
nothing, and the last record of a key is still the last one on its partition.
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

RETRY_SECONDS = 0.5
#: Size of a record batch: half of the 1 MiB that a topic takes, since one record may be larger than the batch it opens.
BATCH_BYTES = 512 * 1024


class OutgoingRecord(NamedTuple):
    """One record to send. Without a `partition` the key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: list[tuple[str, bytes]] | None = None


class Fenced(Exception):
    """The partitions were reassigned while a batch was in progress: another worker may have newer states already."""


@lru_cache(maxsize=100_000)
def hash_of(key: bytes) -> int:
    """The hash from which the default partitioner of every Kafka client chooses a key's partition."""
    # The Java client's partitioner clears the sign bit; so does this mask.
    return murmur2(key) & 0x7FFFFFFF  # type: ignore[no-any-return]


class DurableProducer:
    """Sends with the producer of the Faust app."""

    def __init__(self, app: Any, health: Health) -> None:
        self._app = app
        self._health = health

    async def deliver(self, records: Sequence[OutgoingRecord]) -> None:
        """Return once the broker has acknowledged every record; raises `Fenced` if a rebalance happened meanwhile."""
        generation = self._app.consumer_generation_id
        while records:
            failure = await self._attempt(records)
            self._raise_if_fenced(generation)
            if failure is None:
                self._health.has("broker")
                return
            self._health.waits_for("broker", "the broker does not acknowledge what is sent")
            log.warning("The broker did not acknowledge (%s); sending again.", type(failure).__name__)
            await asyncio.sleep(RETRY_SECONDS)
            self._raise_if_fenced(generation)

    def _raise_if_fenced(self, generation: int) -> None:
        if self._app.consumer_generation_id != generation:
            raise Fenced

    async def _attempt(self, records: Sequence[OutgoingRecord]) -> KafkaError | None:
        """Send all records once; the first failure that waiting may cure, or None. Any other failure is raised."""
        # Private: Faust's own `send` makes one future for each record. aiokafka's producer, which is behind it, takes
        # whole record batches and makes one future for each batch.
        producer = self._app.producer._ensure_producer()
        acknowledgements = []
        failure: KafkaError | None = None
        try:
            for (topic, partition), of_partition in (await _by_partition(producer, records)).items():
                for batch in _batches(producer, of_partition):
                    acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
        except KafkaError as error:
            failure = _retriable(error)
        for outcome in await asyncio.gather(*acknowledgements, return_exceptions=True):
            if isinstance(outcome, BaseException):
                failure = failure or _retriable(outcome)
        return failure


async def _by_partition(
    producer: Any, records: Sequence[OutgoingRecord]
) -> dict[tuple[str, int], list[OutgoingRecord]]:
    """The records of each partition, in order. A record with neither key nor partition goes to partition 0."""
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


def _retriable(error: BaseException) -> KafkaError:
    """The error if waiting may cure it; raises it if it is a bug or a wrong configuration."""
    # aiokafka raises KafkaTimeoutError when a batch was not acknowledged in time, and does not call it retriable.
    if isinstance(error, KafkaError) and (error.retriable or type(error).__name__ == "KafkaTimeoutError"):
        return error
    raise error
