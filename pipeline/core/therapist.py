"""One therapist: the newest summary of each of their cases, and the figures that follow.

In: a therapist's state and one case summary. Out: the new state and the therapist's summary.
Never: depend on the order in which case summaries arrive (the highest version of each case wins); only what has been
published under disclosure control follows the order of the log, and therefore stays out of the store.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from math import fsum

import msgspec

from pipeline.core import disclosure
from schemas.flags import Severity
from schemas.summaries import CaseSummary, Day, Publication, TherapistSummary

COUNTED_DAYS = 90
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class TherapistState:
    """Newest summary per case, what was published, and who contributed since."""

    therapist_id: str
    cases: dict[str, CaseSummary] = field(default_factory=dict)
    published: Publication | None = None
    contributors: set[str] = field(default_factory=set)

    @property
    def version(self) -> int:
        """Distinct accepted events of all cases: rises with each change, whatever the order."""
        return sum(case.version for case in self.cases.values())


def step(state: TherapistState | None, summary: CaseSummary) -> tuple[TherapistState, TherapistSummary | None]:
    """Take one case summary; None when it was known or older. The given state is used up."""
    if state is None:
        state = TherapistState(summary.therapist_id)
    known = state.cases.get(summary.case_id)
    if known is not None and known.version >= summary.version:
        return state, None
    state.cases[summary.case_id] = summary
    if known is None or _scored(known) != _scored(summary) or known.scored_at != summary.scored_at:
        state.contributors.add(summary.case_id)
    return state, _summarise(state)


def _scored(case: CaseSummary) -> tuple[float, dict[str, float]] | None:
    """What a case adds to the score figures."""
    if case.status != "active" or case.score is None:
        return None
    return case.score, case.ingredients


def _summarise(state: TherapistState) -> TherapistSummary:
    cases = [state.cases[case_id] for case_id in sorted(state.cases)]
    scored = [figures for case in cases if (figures := _scored(case)) is not None]
    points = fsum(score for score, _ in scored)
    ingredient_points = _ingredient_points([ingredients for _, ingredients in scored])
    _publish(state, len(scored), points, ingredient_points)
    active = [case for case in cases if case.status == "active"]
    last_event_at = max((case.last_event_at for case in cases if case.last_event_at), default=None)
    return TherapistSummary(
        therapist_id=state.therapist_id,
        team=_team(cases),
        version=state.version,
        last_event_at=last_event_at,
        active_cases=len(active),
        scored_cases=len(scored),
        score_points=round(points, 6),
        ingredient_points=ingredient_points,
        open_flag_cases=_open_flags(active),
        oldest_unacknowledged_at=min(
            (case.unacknowledged_since for case in active if case.unacknowledged_since), default=None
        ),
        days=_days(cases, last_event_at),
        published=state.published,
    )


def _ingredient_points(scored: list[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for ingredients in scored for name in ingredients})
    return {name: round(fsum(ingredients.get(name, 0.0) for ingredients in scored), 6) for name in names}


def _publish(state: TherapistState, scored_cases: int, points: float, ingredient_points: dict[str, float]) -> None:
    if scored_cases < disclosure.FEWEST_CASES:
        state.published = None
    elif disclosure.may_publish(scored_cases, len(state.contributors)):
        state.published = disclosure.publication(scored_cases, points, ingredient_points)
        state.contributors = set()


def _open_flags(active: list[CaseSummary]) -> dict[Severity, int]:
    return dict(sorted(Counter(case.open_flag for case in active if case.open_flag).items()))


def _team(cases: list[CaseSummary]) -> str:
    """The team of the case with the newest event: a therapist who moves takes the figures along."""
    return max(cases, key=lambda case: (case.last_event_at or _NEVER, case.case_id)).team


def _days(cases: list[CaseSummary], last_event_at: datetime | None) -> dict[date, Day]:
    if last_event_at is None:
        return {}
    oldest = last_event_at.date() - timedelta(days=COUNTED_DAYS)
    total: dict[date, Day] = {}
    for case in cases:
        for day, counts in case.days.items():
            if day > oldest:
                total[day] = total[day].plus(counts) if day in total else counts
    return dict(sorted(total.items()))


class _StoredTherapist(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A therapist in the changelog, format 1."""

    format: int
    cases: list[CaseSummary]
    published: Publication | None
    contributors: list[str]


_decoder = msgspec.msgpack.Decoder(_StoredTherapist)
_encoder = msgspec.msgpack.Encoder()


def encode(state: TherapistState) -> bytes:
    """The state as bytes."""
    return _encoder.encode(_StoredTherapist(1, list(state.cases.values()), state.published, sorted(state.contributors)))


def decode(therapist_id: str, value: bytes) -> TherapistState:
    """A therapist from the changelog; raises `msgspec.DecodeError`, which must stop the process."""
    stored = _decoder.decode(value)
    if stored.format != 1:
        raise msgspec.DecodeError(f"changelog format {stored.format} is not known to this version")
    return TherapistState(
        therapist_id,
        {case.case_id: case for case in stored.cases},
        stored.published,
        set(stored.contributors),
    )
