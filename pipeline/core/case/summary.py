"""The summary of a case, for the figures of its therapist.

In: the state of a case. Out: its summary for the current therapist, and an empty one for each therapist before.
Never: more than the figures of a therapist need.
"""

from datetime import date
from functools import lru_cache

from pipeline.core.case.state import CaseState
from pipeline.core.instants import DAY_US, day_of, from_us
from schemas.summaries import COUNTED_DAYS, CaseStatus, CaseSummary, Day


def summaries(state: CaseState) -> list[CaseSummary]:
    """The case for its therapist, and an empty summary for each other therapist that it has named."""
    current = state.timeline.therapist_id
    others = [
        empty_summary(state, therapist, state.version, "left")
        for therapist in sorted(state.therapists)
        if therapist != current
    ]
    return [*others, summary_of(state)] if current else others


def empty_summary(state: CaseState, therapist_id: str, version: int, status: CaseStatus) -> CaseSummary:
    """The case no longer counts for this therapist."""
    return CaseSummary(
        case_id=state.case_id,
        therapist_id=therapist_id,
        team=state.therapists[therapist_id][1],
        version=version,
        status=status,
    )


def summary_of(state: CaseState) -> CaseSummary:
    """The case as its therapist's figures see it."""
    timeline = state.timeline
    status: CaseStatus = "closed" if timeline.is_closed else "active"
    latest, episode = timeline.latest, timeline.episodes.open_episode
    return CaseSummary(
        case_id=state.case_id,
        therapist_id=timeline.therapist_id,
        team=timeline.team,
        version=state.version,
        status=status,
        last_event_at=None if timeline.last_event_at is None else from_us(timeline.last_event_at),
        score=None if latest is None else latest.total,
        ingredients={} if latest is None else latest.ingredients,
        scored_at=None if latest is None else from_us(timeline.latest_at),
        scored_here=latest is not None and latest.therapist_id == timeline.therapist_id,
        open_flag=None if episode is None else episode.severity,
        unacknowledged_since=None if episode is None or episode.status != "open" else from_us(episode.opened_at),
        days=_recent_days(state),
    )


def _recent_days(state: CaseState) -> dict[date, Day]:
    """The days published before, with those that have changed since, without those that have become too old."""
    timeline, days = state.timeline, state.published_days
    if timeline.last_event_at is None:
        return {}
    oldest = timeline.last_event_at // DAY_US - COUNTED_DAYS
    first = _date(oldest + 1)
    has_old_days = bool(days) and next(iter(days)) < first
    if not timeline.changed_days and not has_old_days:
        return days
    last = next(reversed(days), first)
    days = {day: counts for day, counts in days.items() if day >= first} if has_old_days else dict(days)
    changed = {_date(day): Day(*timeline.days[day]) for day in sorted(timeline.changed_days) if day > oldest}
    timeline.changed_days.clear()
    days.update(changed)
    if changed and min(changed) < last:
        days = dict(sorted(days.items()))
    state.published_days = days
    return days


@lru_cache(maxsize=4096)
def _date(day: int) -> date:
    return day_of(day * DAY_US)
