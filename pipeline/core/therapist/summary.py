"""The summary of a therapist: what the store and the exporter are sent.

In: a therapist's state. Out: one `TherapistSummary`.
Never: decide what may be shown (`pipeline.core.therapist.disclosure` has decided it already).
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from pipeline.core.therapist.state import TherapistState
from schemas.flags import Severity
from schemas.summaries import COUNTED_DAYS, CaseSummary, Day, TherapistSummary

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


def summary_of(state: TherapistState) -> TherapistSummary:
    """The therapist at this moment."""
    cases = list(state.cases.values())
    active = [case for case in cases if case.status == "active"]
    last_event_at = max((case.last_event_at for case in cases if case.last_event_at), default=None)
    return TherapistSummary(
        therapist_id=state.therapist_id,
        team=_team(state.cases),
        version=state.version,
        last_event_at=last_event_at,
        active_cases=len(active),
        scored_cases=state.scored_cases,
        score_points=state.score_points,
        ingredient_points=state.ingredient_points,
        open_flag_cases=_open_flags(active),
        oldest_unacknowledged_at=min(
            (case.unacknowledged_since for case in active if case.unacknowledged_since), default=None
        ),
        days=_days(cases, last_event_at),
        published=state.publication.published,
        ingredient_scored_cases=state.ingredient_scored_cases,
    )


def _open_flags(active: list[CaseSummary]) -> dict[Severity, int]:
    return dict(sorted(Counter(case.open_flag for case in active if case.open_flag).items()))


def _team(cases: dict[str, CaseSummary]) -> str:
    """The team of the case with the newest event: a therapist who changes teams takes the figures along."""
    return max(cases.items(), key=lambda item: (item[1].last_event_at or _NEVER, item[0]))[1].team


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
