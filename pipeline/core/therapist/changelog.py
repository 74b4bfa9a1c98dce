"""A therapist's state as bytes: what the changelog holds of it.

In: a therapist's state. Out: bytes, and back.
Never: guess at bytes of an unknown format.
"""

import msgspec

from pipeline.core.therapist.disclosure import TOTAL, PublicationState, scored_at, still_shown
from pipeline.core.therapist.state import TherapistState
from schemas.summaries import CaseSummary, Publication


class _StoredTherapist(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A therapist in the changelog, format 2; format 1 ends with `contributors`, which meant something else."""

    format: int
    cases: dict[str, CaseSummary]
    published: Publication | None
    contributors: dict[str, int]
    included_until: dict[str, int] = {}
    turns: list[str] = []
    waited: int = 0


_decoder = msgspec.msgpack.Decoder(_StoredTherapist)
_encoder = msgspec.msgpack.Encoder()


def encode(state: TherapistState) -> bytes:
    """The state as bytes."""
    shown = state.publication
    return _encoder.encode(
        _StoredTherapist(
            2, state.cases, shown.published, shown.contributors, shown.included_until, shown.turns, shown.waited
        )
    )


def decode(therapist_id: str, value: bytes) -> TherapistState:
    """A therapist from the changelog; raises `msgspec.DecodeError`, which must stop the process."""
    stored = _decoder.decode(value)
    match stored.format:
        case 1:
            return _of_format_1(therapist_id, stored)
        case 2:
            shown = PublicationState(
                stored.published, stored.contributors, stored.included_until, stored.turns, stored.waited
            )
            return TherapistState(therapist_id, stored.cases, shown)
        case other:
            raise msgspec.DecodeError(f"changelog format {other} is not known to this version")


def _of_format_1(therapist_id: str, stored: _StoredTherapist) -> TherapistState:
    """Format 1 does not say which check-ins were included: assume all, and take back ingredients without a count."""
    times = {key: scored_at(case) for key, case in stored.cases.items()}
    shown = PublicationState(
        included_until={key: given_at for key, given_at in times.items() if given_at is not None},
        turns=[TOTAL] if stored.published else [],
    )
    state = TherapistState(therapist_id, stored.cases, shown)
    shown.published = still_shown(stored.published, {TOTAL: state.scored_cases})
    return state
