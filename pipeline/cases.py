"""The agent `cases`: events in, flags, case summaries and refusals out.

In: a batch of records of `alliance.events.v1`. Out: records for the flags, cases and rejected topics, then the changed
case states; returns when all of it is durable.
Never: decide anything itself; each event is one call into the core.
"""

from collections.abc import Mapping
from hashlib import blake2b

from pipeline.core import case
from pipeline.core.acceptance import Accepted, Refused, accept
from pipeline.core.prior import Prior, Yardstick, yardsticks_of
from pipeline.edge.acks import HandEvent
from pipeline.edge.outbox import Out, Outbox
from pipeline.edge.table import StateTable
from pipeline.meters import Meters
from schemas import refusals
from schemas.codec import encode
from schemas.events import type_of
from schemas.instruments.definition import Instrument
from schemas.refusals import Reason
from schemas.topics import CASES, EVENTS, FLAGS, REJECTED

#: The states that a batch changed, by partition and key; None: the key goes.
Changes = dict[tuple[int, bytes], case.State]


def mark_key(case_id: bytes) -> bytes:
    """Under what key the mark of an erased case is kept; the case_id itself does not stay."""
    return b"erased:" + blake2b(case_id, digest_size=16).digest()


class Cases:
    """Carries out batches for the agent; states live in the table."""

    def __init__(
        self, table: StateTable, outbox: Outbox, instruments: Mapping[str, Instrument], prior: Prior, meters: Meters
    ) -> None:
        self._table = table
        self._outbox = outbox
        self._instruments = instruments
        self._yardsticks: dict[str, Yardstick] = yardsticks_of(instruments, prior)
        self._meters = meters

    async def work(self, batch: list[HandEvent]) -> None:
        """Flags, summaries and refusals first, then the states: a state on the log has been told of."""
        outputs: list[Out] = []
        changes: Changes = {}
        for event in batch:
            outputs.extend(self._take(event, changes))
        await self._outbox.deliver(outputs)
        repairs = self._table.repairs()
        await self._outbox.deliver([*repairs, *(self._change(*where, state) for where, state in changes.items())])
        self._meters.done("cases", (event.message.timestamp for event in batch))

    def _take(self, event: HandEvent, changes: Changes) -> list[Out]:
        message = event.message
        verdict = accept(message.value, message.key, round(message.timestamp * 1000), self._instruments)
        if isinstance(verdict, Refused):
            return [self._refuse(event, verdict)]
        return self._absorb(event, verdict, changes)

    def _absorb(self, event: HandEvent, accepted: Accepted, changes: Changes) -> list[Out]:
        partition, key = event.message.partition, event.message.key
        before = self._state(partition, key, changes)
        version_before = 0 if before is None else before.version
        after, facts = case.step(before, accepted, self._yardsticks)
        if facts.refusal is not None:
            return [self._refuse(event, Refused(facts.refusal, "the case"))]
        if after is not None and (after.version != version_before or after is not before):
            self._meters.events.labels(type_of(accepted.event)).inc()
            self._keep(partition, key, after, changes)
        outputs = [Out(FLAGS, flag.flag_id.encode(), encode(flag)) for flag in facts.flags]
        outputs += [Out(FLAGS, flag_id.encode(), None) for flag_id in facts.deleted_flags]
        outputs += [Out(CASES, one.therapist_id.encode(), encode(one)) for one in facts.summaries]
        return outputs

    def _state(self, partition: int, key: bytes, changes: Changes) -> case.State:
        live = self._table.live(partition)
        state: case.State = live.get(key)
        if state is not None:
            return state
        mark = mark_key(key)
        if mark in live:
            return live[mark]  # type: ignore[no-any-return]
        encoded_mark = self._table.take_encoded(partition, mark)
        if encoded_mark is not None:
            if self._table.take_encoded(partition, key) is not None:
                # Written by a worker that had lost the partition, after the erasure: delete it once more.
                changes[partition, key] = None
            live[mark] = case.decode_erased(encoded_mark)
            return live[mark]  # type: ignore[no-any-return]
        encoded = self._table.take_encoded(partition, key)
        if encoded is not None:
            state = live[key] = case.decode(key.decode(), encoded, self._yardsticks)
        return state

    def _keep(
        self,
        partition: int,
        key: bytes,
        state: case.CaseState | case.Erased,
        changes: Changes,
    ) -> None:
        live = self._table.live(partition)
        if isinstance(state, case.Erased):
            live.pop(key, None)
            live[mark_key(key)] = state
            changes[partition, key] = None
            changes[partition, mark_key(key)] = state
        else:
            live[key] = state
            changes[partition, key] = state

    def _change(self, partition: int, key: bytes, state: case.State) -> Out:
        """The changelog record of a state as it is at the end of a batch."""
        if state is None:
            return self._table.change(partition, key, 0, None)
        encoded = case.encode_erased(state) if isinstance(state, case.Erased) else case.encode(state)
        return self._table.change(partition, key, state.version, encoded)

    def _refuse(self, event: HandEvent, refused: Refused) -> Out:
        self._meters.rejected.labels(refused.reason.value).inc()
        return refusal(
            refused,
            event.message.key,
            event.message.value,
            list(event.message.headers or []),
            event.message.partition,
            event.message.offset,
            round(event.message.timestamp * 1000),
        )


def refusal(
    refused: Refused,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes]],
    partition: int,
    offset: int,
    timestamp_ms: int,
) -> Out:
    """The refused record as it came, with why and where from. Of an erased case nothing is carried on."""
    is_erased = refused.reason is Reason.ERASED
    ours = [
        (refusals.HEADER_REASON, refused.reason.value.encode()),
        (refusals.HEADER_DETAIL, refused.detail.encode()),
        (refusals.HEADER_TOPIC, EVENTS.encode()),
        (refusals.HEADER_PARTITION, str(partition).encode()),
        (refusals.HEADER_OFFSET, str(offset).encode()),
        (refusals.HEADER_TIMESTAMP, str(timestamp_ms).encode()),
    ]
    if is_erased:
        return Out(REJECTED, None, None, None, ours)
    return Out(REJECTED, key, value, None, [*headers, *ours])
