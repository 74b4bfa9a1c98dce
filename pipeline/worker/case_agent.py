"""The agent `cases`: events in; flags, case summaries and refused records out.

In: a batch of records of `alliance.events.v1`. Out: records for the flags, cases and rejected topics, then the changed
case states; returns when all of them are durable, with the partitions that are paused.
Never: decide anything itself; each event is one call into the core.
"""

from collections import Counter
from collections.abc import Mapping, Set
from hashlib import blake2b

from pipeline.core.acceptance import Accepted, Refusal, accept
from pipeline.core.case import changelog
from pipeline.core.case import state as case
from pipeline.core.case.changes import NOTHING_NEW, Changes, apply
from pipeline.core.case.summary import summaries
from pipeline.core.detection.prior import MeasurementModel, Prior, measurement_models
from pipeline.runtime.metrics import Meters
from pipeline.worker.dead_letter import dead_letter
from pipeline.worker.faust.durable_producer import DurableProducer, OutgoingRecord
from pipeline.worker.faust.partition_batch import KafkaRecord, PartitionBatch
from pipeline.worker.faust.paused_partitions import PausedPartitions
from pipeline.worker.faust.state_cache import StateCache
from schemas.codec import encode
from schemas.events import type_of
from schemas.instruments.definition import Instrument
from schemas.refusals import Reason
from schemas.summaries import CaseSummary
from schemas.topics import CASES, FLAGS

_ERASED_PREFIX = b"erased:"


def erasure_key(case_id: bytes) -> bytes:
    """The key of the mark that a case was erased. It is a hash: the case_id itself does not stay."""
    return _ERASED_PREFIX + blake2b(case_id, digest_size=16).digest()


class CaseCodec:
    """Case states and marks of erased cases, to and from the bytes of the changelog."""

    def __init__(self, instruments: Mapping[str, Instrument], prior: Prior) -> None:
        self.models: dict[str, MeasurementModel] = measurement_models(instruments, prior)

    def decode(self, key: bytes, value: bytes) -> case.CaseState | case.Erased:
        """The state under a key; raises `msgspec.DecodeError`."""
        if changelog.is_erased(value):
            return case.Erased(changelog.decode_erased(value))
        return case.decode(key.decode(), value, self.models)

    def encode(self, state: case.CaseState | case.Erased) -> bytes:
        """A state as bytes."""
        return changelog.encode_erased(state.version) if isinstance(state, case.Erased) else case.encode(state)


class CaseAgent:
    """Processes batches; the states are in the table."""

    def __init__(
        self,
        states: StateCache,
        producer: DurableProducer,
        instruments: Mapping[str, Instrument],
        models: Mapping[str, MeasurementModel],
        meters: Meters,
        paused: PausedPartitions,
    ) -> None:
        self._states = states
        self._producer = producer
        self._instruments = instruments
        self._models = models
        self._meters = meters
        self._paused = paused

    async def work(self, batch: list[PartitionBatch]) -> Set[int]:
        """Make a batch durable: flags, summaries and refusals first, then the states, so that no stored state is
        without its published outputs.

        The summary of a case is sent once, however many of its events the batch holds: readers use only the newest.

        Returns the paused partitions. Their records up to the pause are durable too, and they will be processed again
        with the rest: an event that the state holds already changes nothing, and a refusal is known by its offset.
        """
        outputs = _BatchOutputs(self._states, self._instruments, self._models)
        for partition_batch in batch:
            self._process(partition_batch, outputs)
        paused = frozenset(self._paused.partitions)
        await self._producer.deliver(outputs.to_publish())
        await self._producer.deliver(self._states.changes())
        self._meters.count(outputs.accepted, outputs.refused)
        done = [records for partition, records in batch if partition not in paused]
        self._meters.done("cases", (record.timestamp / 1000 for records in done for record in records))
        return paused

    def _process(self, partition_batch: PartitionBatch, outputs: "_BatchOutputs") -> None:
        """The records of a partition, up to one that exceeds the rejection limit."""
        partition, records = partition_batch
        if partition in self._paused.partitions:
            return
        for record in records:
            refusal = outputs.add(partition, record)
            if self._paused.record(partition, record.offset, refusal):
                return


class _BatchOutputs:
    """What the events of one batch change in the states, and the records that publish it."""

    def __init__(
        self, states: StateCache, instruments: Mapping[str, Instrument], models: Mapping[str, MeasurementModel]
    ) -> None:
        self._states = states
        self._instruments = instruments
        self._models = models
        self._records: list[OutgoingRecord] = []
        #: The cases whose summary is to be sent.
        self._changed: dict[bytes, case.CaseState] = {}
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def add(self, partition: int, record: KafkaRecord) -> Reason | None:
        """Accept a record, or refuse it with the reason that is returned."""
        verdict = accept(record.value, record.key, record.timestamp, self._instruments)
        if isinstance(verdict, Accepted):
            return self._apply(partition, record, verdict)
        self._refuse(partition, record, verdict)
        return verdict.reason

    def to_publish(self) -> list[OutgoingRecord]:
        """Everything to publish, the summaries last."""
        newest = [summary for state in self._changed.values() for summary in summaries(state)]
        return self._records + [_summary_record(summary) for summary in newest]

    def _apply(self, partition: int, record: KafkaRecord, accepted: Accepted) -> Reason | None:
        key = record.key
        assert key is not None
        state, changes = apply(self._state(partition, key), accepted, self._models)
        if changes is NOTHING_NEW:
            return None
        if changes.refusal is not None:
            self._refuse(partition, record, Refusal(changes.refusal, "the case"))
            return changes.refusal
        self.accepted[type_of(accepted.event)] += 1
        for flag in changes.flags:
            self._records.append(OutgoingRecord(FLAGS, flag.flag_id.encode(), encode(flag)))
        if isinstance(state, case.CaseState):
            self._states.put(partition, key, state)
            self._changed[key] = state
        else:
            self._erase(partition, key, changes, state)
        return None

    def _erase(self, partition: int, key: bytes, changes: Changes, mark: case.State) -> None:
        """Delete the state of a case; a mark that it was erased stays under another key."""
        self._changed.pop(key, None)
        self._states.put(partition, key, None)
        self._states.put(partition, erasure_key(key), mark)
        self._records += [OutgoingRecord(FLAGS, flag_id.encode(), None) for flag_id in changes.deleted_flags]
        self._records += [_summary_record(summary) for summary in changes.summaries]

    def _state(self, partition: int, key: bytes) -> case.State:
        decoded: case.State = self._states.get_decoded(partition, key)
        if decoded is not None:
            return decoded
        state: case.State = self._states.get(partition, key)
        mark: case.State = self._states.get(partition, erasure_key(key))
        if mark is None:
            return state
        if state is not None:
            # A worker that had lost the partition wrote this state after the erasure: delete it again.
            self._states.put(partition, key, None)
        return mark

    def _refuse(self, partition: int, record: KafkaRecord, refused: Refusal) -> None:
        self.refused[refused.reason.value] += 1
        self._records.append(
            dead_letter(refused, record.key, record.value, record.headers, partition, record.offset, record.timestamp)
        )


def _summary_record(summary: CaseSummary) -> OutgoingRecord:
    return OutgoingRecord(CASES, summary.therapist_id.encode(), encode(summary))
