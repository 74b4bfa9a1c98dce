"""The job of the agent `cases`, for the other runners: one call a record.

In: a state and a record. Out: the new state, and the records that report it.
Never: decide anything: that is `pipeline.core`; know a broker or a stream processor.
"""

from pipeline.core.acceptance import Refusal, accept
from pipeline.core.case.changes import Changes, apply
from pipeline.core.case.state import CaseState, State
from pipeline.core.case.summary import summaries
from pipeline.core.detection.prior import DEFAULT_PRIOR
from pipeline.worker.case_agent import CaseCodec
from pipeline.worker.dead_letter import dead_letter
from pipeline.worker.faust.durable_producer import OutgoingRecord
from schemas.codec import encode
from schemas.instruments.registry import load_instruments
from schemas.topics import CASES, FLAGS

INSTRUMENTS = load_instruments(None)
CODEC = CaseCodec(INSTRUMENTS, DEFAULT_PRIOR)
#: Messages of a cycle, for the runners that have cycles; and how long one may take to fill.
CYCLE_RECORDS = 20_000
CYCLE_SECONDS = 1.0

encode_state = CODEC.encode
decode_state = CODEC.decode


def process(state: State, key: bytes | None, value: bytes | None, timestamp_ms: int) -> tuple[State, Changes | Refusal]:
    """One record: the state after it, and what it brought; `NOTHING_NEW` when it was known."""
    verdict = accept(value, key, timestamp_ms, INSTRUMENTS)
    if isinstance(verdict, Refusal):
        return state, verdict
    state, facts = apply(state, verdict, CODEC.models)
    return state, facts if facts.refusal is None else Refusal(facts.refusal, "the case")


def flags_of(facts: Changes) -> list[OutgoingRecord]:
    """Flags that have changed or go, and the farewells of an erased case."""
    return [
        *[OutgoingRecord(FLAGS, flag.flag_id.encode(), encode(flag)) for flag in facts.flags],
        *[OutgoingRecord(FLAGS, flag_id.encode(), None) for flag_id in facts.deleted_flags],
        *[OutgoingRecord(CASES, summary.therapist_id.encode(), encode(summary)) for summary in facts.summaries],
    ]


def summaries_of(state: State) -> list[OutgoingRecord]:
    """The newest summaries of a case."""
    if not isinstance(state, CaseState):
        return []
    return [OutgoingRecord(CASES, summary.therapist_id.encode(), encode(summary)) for summary in summaries(state)]


def refused(
    why: Refusal, key: bytes | None, value: bytes | None, partition: int, offset: int, timestamp_ms: int
) -> list[OutgoingRecord]:
    """The refused record as it goes to its topic."""
    return [dead_letter(why, key, value, [], partition, offset, timestamp_ms)]
