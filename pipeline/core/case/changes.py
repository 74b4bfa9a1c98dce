"""What one accepted event changes in a case.

In: a case's state and one accepted event. Out: the new state, and the changes to publish.
Never: act on the world; read a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from pipeline.core.acceptance import Accepted
from pipeline.core.case.state import MAX_RECORDS, CaseState, Erased, State
from pipeline.core.case.summary import empty_summary, summaries
from pipeline.core.detection.prior import MeasurementModel
from pipeline.core.instants import from_us
from pipeline.core.records import Position, Record, position, record_of
from schemas.events import CaseErased
from schemas.flags import Flag
from schemas.refusals import Reason
from schemas.summaries import CaseSummary


@dataclass(slots=True)
class Changes:
    """What is to be published: flag snapshots, flags to delete, summaries; or why the event was refused."""

    flags: list[Flag] = field(default_factory=list)
    deleted_flags: list[str] = field(default_factory=list)
    summaries: list[CaseSummary] = field(default_factory=list)
    refusal: Reason | None = None


#: The event was known: nothing has changed.
NOTHING_NEW = Changes()
#: Nothing but the summaries has changed.
_NO_FLAGS = Changes()


def step(state: State, accepted: Accepted, models: Mapping[str, MeasurementModel]) -> tuple[State, Changes]:
    """Apply one accepted event and list all changes. The given state is used up: continue with the returned one."""
    state, changes = apply(state, accepted, models)
    if changes is not NOTHING_NEW and isinstance(state, CaseState):
        changes = Changes(changes.flags, summaries=summaries(state))
    return state, changes


def apply(state: State, accepted: Accepted, models: Mapping[str, MeasurementModel]) -> tuple[State, Changes]:
    """As `step`, but without the summaries of a case that is not erased: `summaries` gives them after several events.

    `NOTHING_NEW` says that the event was known.
    """
    if isinstance(accepted.event, CaseErased):
        return _erase(state)
    if isinstance(state, Erased):
        return state, Changes(refusal=Reason.ERASED)
    case_id = accepted.event.subject
    if state is None:
        state = CaseState(case_id, models)
    return state, _apply(state, record_of(accepted), accepted.at)


def _erase(state: State) -> tuple[State, Changes]:
    if isinstance(state, Erased):
        return state, NOTHING_NEW
    if state is None:
        return Erased(version=1), Changes()
    version = state.version + 1
    return Erased(version), Changes(
        deleted_flags=sorted(state.retracted_flag_ids | state.published_flags.keys()),
        summaries=[empty_summary(state, therapist, version, "erased") for therapist in sorted(state.therapists)],
    )


def _apply(state: CaseState, record: Record, event_at: int) -> Changes:
    is_new = record.identity not in state.digests
    at = position(record)
    if not state.insert(record, at):
        return NOTHING_NEW
    state.note_therapist(record, at)
    if is_new and len(state.digests) <= MAX_RECORDS and state.timeline.follows(record, at):
        flags = _advance(state, record, at)
    else:
        state.trim()
        flags = _fold_and_compare(state, event_at)
    return Changes(flags) if flags else _NO_FLAGS


def _advance(state: CaseState, record: Record, at: Position) -> list[Flag]:
    """The fast path: the record goes to the end of the timeline."""
    changed = []
    for episode in state.timeline.advance(at, record):
        now = episode.snapshot(state.case_id, 0)
        if state.published_flags.get(episode.flag_id) != now:
            state.published_flags[episode.flag_id] = now
            changed.append(msgspec.structs.replace(now, version=state.version))
    return changed


def _fold_and_compare(state: CaseState, event_at: int) -> list[Flag]:
    """The defining path: fold from scratch, publish each difference, retract flags that are no longer supported."""
    before = state.published_flags
    state.fold()
    changed = [
        msgspec.structs.replace(flag, version=state.version)
        for flag_id, flag in state.published_flags.items()
        if before.get(flag_id) != flag
    ]
    for flag_id in sorted(before.keys() - state.published_flags.keys()):
        state.retracted_flag_ids |= {flag_id}
        if state.horizon is not None and before[flag_id].opened_at <= from_us(state.horizon[0]):
            continue
        changed.append(_retracted(before[flag_id], state.version, event_at))
    return changed


def _retracted(flag: Flag, version: int, event_at: int) -> Flag:
    at = from_us(event_at)
    return msgspec.structs.replace(flag, status="retracted", version=version, updated_at=at, closed_at=at)
