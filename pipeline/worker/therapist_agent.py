"""The agent `therapists`: case summaries in, therapist summaries out.

In: a batch of records of `alliance.cases.v1`. Out: records for the therapists topic, then the changed therapist states;
returns when all of it is durable.
Never: decide anything itself; each summary is one call into the core.
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
    """The state under a key; raises `msgspec.DecodeError`."""
    return changelog.decode(key.decode(), value)


class Therapists:
    """Carries out batches for the agent; states live in the table."""

    def __init__(self, states: StateCache, outbox: DurableProducer, meters: Meters) -> None:
        self._states = states
        self._outbox = outbox
        self._meters = meters

    async def work(self, batch: list[PartitionBatch]) -> frozenset[int]:
        """The summaries first, then the states: a state on the log has been told of. One of each per therapist.

        No partition is ever stopped here: what comes in was made by the other agent.
        """
        changed: dict[bytes, TherapistState] = {}
        for portion in batch:
            for record in portion.records:
                self._take(portion.partition, record, changed)
        await self._outbox.deliver(
            [OutgoingRecord(THERAPISTS, key, encode(summary_of(state))) for key, state in changed.items()]
        )
        await self._outbox.deliver(self._states.changes())
        self._meters.done("therapists", (record.timestamp / 1000 for portion in batch for record in portion.records))
        return frozenset()

    def _take(self, partition: int, record: KafkaRecord, changed: dict[bytes, TherapistState]) -> None:
        assert record.key is not None and record.value is not None
        state, is_new = step(self._states.get(partition, record.key), decode_case(record.value))
        if is_new:
            self._states.put(partition, record.key, state)
            changed[record.key] = state
