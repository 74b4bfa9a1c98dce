"""The agent `therapists`: case summaries in, therapist summaries out.

In: a batch of records of `alliance.cases.v1`. Out: records for the therapists topic, then the changed therapist states;
returns when all of it is durable.
Never: decide anything itself; each summary is one call into the core.
"""

from pipeline.core import therapist
from pipeline.edge.acks import HandEvent
from pipeline.edge.outbox import Out, Outbox
from pipeline.edge.table import StateTable
from pipeline.meters import Meters
from schemas.codec import decode_case, encode
from schemas.topics import THERAPISTS


class Therapists:
    """Carries out batches for the agent; states live in the table."""

    def __init__(self, table: StateTable, outbox: Outbox, meters: Meters) -> None:
        self._table = table
        self._outbox = outbox
        self._meters = meters

    async def work(self, batch: list[HandEvent]) -> None:
        """The summaries first, then the states: a state on the log has been told of. One of each per therapist."""
        changed: dict[tuple[int, bytes], therapist.TherapistState] = {}
        for event in batch:
            self._take(event, changed)
        await self._outbox.deliver(
            [Out(THERAPISTS, key, encode(therapist.summary_of(state))) for (_, key), state in changed.items()]
        )
        await self._outbox.deliver(
            [
                *self._table.repairs(),
                *(
                    self._table.change(partition, key, state.version, therapist.encode(state))
                    for (partition, key), state in changed.items()
                ),
            ]
        )
        self._meters.done("therapists", (event.message.timestamp for event in batch))

    def _take(self, event: HandEvent, changed: dict[tuple[int, bytes], therapist.TherapistState]) -> None:
        partition, key = event.message.partition, event.message.key
        live = self._table.live(partition)
        state = live.get(key)
        if state is None:
            encoded = self._table.take_encoded(partition, key)
            state = None if encoded is None else therapist.decode(key.decode(), encoded)
        live[key], is_new = therapist.step(state, decode_case(event.message.value))
        if is_new:
            changed[partition, key] = live[key]
