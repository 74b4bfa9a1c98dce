"""The agent `cases`: events in, flags, case summaries and refusals out.

In: a batch of records of `alliance.events.v1`. Out: records for the flags, cases and rejected topics, then the changed
case states; returns when all of it is durable, with the partitions that are stopped.
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
from pipeline.worker.faust.durable_producer import DurableProducer, OutgoingRecord
from pipeline.worker.faust.partition_batch import KafkaRecord, PartitionBatch
from pipeline.worker.faust.paused_partitions import PausedPartitions
from pipeline.worker.faust.state_cache import StateCache
from schemas import refusals
from schemas.codec import encode
from schemas.events import type_of
from schemas.instruments.definition import Instrument
from schemas.refusals import Reason
from schemas.topics import CASES, EVENTS, FLAGS, REJECTED

_MARK = b"erased:"
#: A refused record larger than this goes without its content: the rejected topic would not take it. A sender's client
#: may have compressed it, so that the events topic did.
LARGEST_REFUSED = 2_000_000


def mark_key(case_id: bytes) -> bytes:
    """Under what key the mark of an erased case is kept; the case_id itself does not stay."""
    return _MARK + blake2b(case_id, digest_size=16).digest()


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


class Cases:
    """Carries out batches for the agent; states live in the table."""

    def __init__(
        self,
        states: StateCache,
        outbox: DurableProducer,
        instruments: Mapping[str, Instrument],
        models: Mapping[str, MeasurementModel],
        meters: Meters,
        stops: PausedPartitions,
    ) -> None:
        self._states = states
        self._outbox = outbox
        self._instruments = instruments
        self._models = models
        self._meters = meters
        self._stops = stops

    async def work(self, batch: list[PartitionBatch]) -> Set[int]:
        """Flags, summaries and refusals first, then the states: a state on the log has been told of.

        However many events of a case a batch holds, its summary is sent once: readers want the newest only.

        Returns the partitions that are stopped. What was taken of them before the stop is durable too, and comes again
        with the rest: an event that the state holds changes nothing, and a refusal keeps its place.
        """
        work = _Batch(self._states, self._instruments, self._models)
        for portion in batch:
            self._take(portion, work)
        stopped = frozenset(self._stops.partitions)
        await self._outbox.deliver(work.outputs())
        await self._outbox.deliver(self._states.changes())
        self._meters.count(work.accepted, work.refused)
        done = [portion for portion in batch if portion.partition not in stopped]
        self._meters.done("cases", (record.timestamp / 1000 for portion in done for record in portion.records))
        return stopped

    def _take(self, portion: PartitionBatch, work: "_Batch") -> None:
        """Its records, up to one that stops the partition."""
        if portion.partition in self._stops.partitions:
            return
        for record in portion.records:
            if self._stops.take(portion.partition, record.offset, work.take(portion.partition, record)):
                return


class _Batch:
    """What one batch makes of the states."""

    def __init__(
        self, states: StateCache, instruments: Mapping[str, Instrument], models: Mapping[str, MeasurementModel]
    ) -> None:
        self._states = states
        self._instruments = instruments
        self._models = models
        self._outputs: list[OutgoingRecord] = []
        #: The cases whose summary is to be sent.
        self._changed: dict[bytes, case.CaseState] = {}
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def take(self, partition: int, record: KafkaRecord) -> Reason | None:
        """One event: accept it, or refuse it with the reason that is returned."""
        verdict = accept(record.value, record.key, record.timestamp, self._instruments)
        if isinstance(verdict, Accepted):
            return self._absorb(partition, record, verdict)
        self._refuse(partition, record, verdict)
        return verdict.reason

    def outputs(self) -> list[OutgoingRecord]:
        """What is to be told, the summaries last."""
        current = [summary for state in self._changed.values() for summary in summaries(state)]
        return self._outputs + [
            OutgoingRecord(CASES, summary.therapist_id.encode(), encode(summary)) for summary in current
        ]

    def _absorb(self, partition: int, record: KafkaRecord, accepted: Accepted) -> Reason | None:
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
            self._outputs.append(OutgoingRecord(FLAGS, flag.flag_id.encode(), encode(flag)))
        if isinstance(state, case.CaseState):
            self._states.put(partition, key, state)
            self._changed[key] = state
        else:
            self._erase(partition, key, changes, state)
        return None

    def _erase(self, partition: int, key: bytes, changes: Changes, mark: case.State) -> None:
        """The case leaves; its mark stays under another key."""
        self._changed.pop(key, None)
        self._states.put(partition, key, None)
        self._states.put(partition, mark_key(key), mark)
        self._outputs += [OutgoingRecord(FLAGS, flag_id.encode(), None) for flag_id in changes.deleted_flags]
        self._outputs += [
            OutgoingRecord(CASES, summary.therapist_id.encode(), encode(summary)) for summary in changes.summaries
        ]

    def _state(self, partition: int, key: bytes) -> case.State:
        live: case.State = self._states.live(partition, key)
        if live is not None:
            return live
        state: case.State = self._states.get(partition, key)
        mark: case.State = self._states.get(partition, mark_key(key))
        if mark is None:
            return state
        if state is not None:
            # Written by a worker that had lost the partition, after the erasure: delete it once more.
            self._states.put(partition, key, None)
        return mark

    def _refuse(self, partition: int, record: KafkaRecord, refused: Refusal) -> None:
        self.refused[refused.reason.value] += 1
        self._outputs.append(
            refusal(
                refused,
                record.key,
                record.value,
                list(record.headers),
                partition,
                record.offset,
                record.timestamp,
            )
        )


def refusal(
    refused: Refusal,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes]],
    partition: int,
    offset: int,
    timestamp_ms: int,
) -> OutgoingRecord:
    """The refused record as it came, with why and where from. Of an erased case nothing is carried on."""
    size = len(key or b"") + len(value or b"") + sum(len(name) + len(text or b"") for name, text in headers)
    is_kept = refused.reason is not Reason.ERASED and size <= LARGEST_REFUSED
    detail = refused.detail if size <= LARGEST_REFUSED else f"{refused.detail}; with {size} bytes too large to be kept"
    ours = [
        (refusals.HEADER_REASON, refused.reason.value.encode()),
        (refusals.HEADER_DETAIL, detail.encode()),
        (refusals.HEADER_TOPIC, EVENTS.encode()),
        (refusals.HEADER_PARTITION, str(partition).encode()),
        (refusals.HEADER_OFFSET, str(offset).encode()),
        (refusals.HEADER_TIMESTAMP, str(timestamp_ms).encode()),
    ]
    return (
        OutgoingRecord(REJECTED, key, value, None, [*headers, *ours])
        if is_kept
        else OutgoingRecord(REJECTED, None, None, None, ours)
    )
