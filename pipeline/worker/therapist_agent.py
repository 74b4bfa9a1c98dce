"""The agent `therapists`: case summaries in, therapist summaries out.

In: a batch of records of `alliance.cases.v1`. Out: records for the therapists topic, then the changed therapist states;
returns when all of them are durable.
Never: decide anything itself; each case summary is one call into the core.
"""

from pipeline.core.therapist import changelog
from pipeline.core.therapist.state import TherapistState, step
from pipeline.core.therapist.summary import summary_of
from pipeline.runtime.metrics import Meters
from pipeline.worker.faust.durable_producer import DurableProducer, OutgoingRecord
from pipeline.worker.faust.partition_batch import KafkaRecord, PartitionBatch
from pipeline.worker.faust.state_cache import StateCache
from schemas.codec import decode_case, encode
from schemas.topics import THERAPISTS


def decode(key: bytes, value: bytes) -> TherapistState:
    """The state of a therapist from the bytes of the changelog; raises `msgspec.DecodeError`."""
    return changelog.decode(key.decode(), value)


class TherapistAgent:
    """Processes batches; the states are in the table."""

    def __init__(self, states: StateCache, producer: DurableProducer, meters: Meters) -> None:
        self._states = states
        self._producer = producer
        self._meters = meters

    async def work(self, batch: list[PartitionBatch]) -> frozenset[int]:
        """Make a batch durable: summaries first, then states, so no stored state is without its published summary.

        Each therapist gets one summary and one state, however many records the batch holds. No partition is ever
        paused here: what comes in was written by the agent `cases`.
        """
        changed: dict[bytes, TherapistState] = {}
        for partition, records in batch:
            for record in records:
                self._update(partition, record, changed)
        await self._producer.deliver(
            [OutgoingRecord(THERAPISTS, key, encode(summary_of(state))) for key, state in changed.items()]
        )
        await self._producer.deliver(self._states.changes())
        self._meters.done("therapists", (record.timestamp / 1000 for _, records in batch for record in records))
        return frozenset()

    def _update(self, partition: int, record: KafkaRecord, changed: dict[bytes, TherapistState]) -> None:
        assert record.key is not None and record.value is not None
        state, is_new = step(self._states.get(partition, record.key), decode_case(record.value))
        if is_new:
            self._states.put(partition, record.key, state)
            changed[record.key] = state
