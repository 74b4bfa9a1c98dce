"""What the exporter remembers, and the figures that follow from it at a given instant. Pure.

In: therapist summaries, flag snapshots, an instant. Out: each therapist's figures; what a snapshot has changed.
Never: a score that has not passed disclosure control; a client or a case.

Only what is shown is kept, and counts per day as running totals, so that ten thousand therapists need little memory and
a window costs two look-ups. A therapist is shown while there is an active case, a session in the last 28 days or the
end of a flag in the last 90. After that the therapist disappears, and comes back with the next event.
"""

import sys
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import accumulate

from schemas.flags import SEVERITIES, Flag
from schemas.instruments.definition import INGREDIENTS
from schemas.summaries import Day, Publication, TherapistSummary

SESSION_DAYS = 28
REPAIR_DAYS = 90


@dataclass(frozen=True, slots=True)
class Window:
    """What happened in a therapist's last 28 days (sessions, check-ins) and 90 days (flags)."""

    sessions_held: int
    checkins_completed: int
    repaired_flags: int
    unrepaired_flags: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return not (self.sessions_held or self.checkins_completed or self.repaired_flags or self.unrepaired_flags)


def window(days: Mapping[date, Day], today: date) -> Window:
    """The counts up to and including today, in UTC. This is the definition; `Totals.window` is the fast way."""
    of_sessions = [counts for day, counts in days.items() if today - timedelta(days=SESSION_DAYS) < day <= today]
    of_repairs = [counts for day, counts in days.items() if today - timedelta(days=REPAIR_DAYS) < day <= today]
    return Window(
        sessions_held=sum(counts.sessions_held for counts in of_sessions),
        checkins_completed=sum(counts.checkins_completed for counts in of_sessions),
        repaired_flags=sum(counts.repaired_flags for counts in of_repairs),
        unrepaired_flags=sum(counts.unrepaired_flags for counts in of_repairs),
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts per day as running totals. Each array of totals starts with 0, so it is one longer than `ordinals`."""

    ordinals: "array[int]"
    held: "array[int]"
    completed: "array[int]"
    repaired: "array[int]"
    unrepaired: "array[int]"

    def window(self, today: date) -> Window:
        """As the function `window`, in two look-ups."""
        ordinal = today.toordinal()
        end = bisect_right(self.ordinals, ordinal)
        sessions = bisect_right(self.ordinals, ordinal - SESSION_DAYS, hi=end)
        repairs = bisect_right(self.ordinals, ordinal - REPAIR_DAYS, hi=sessions)
        return Window(
            sessions_held=self.held[end] - self.held[sessions],
            checkins_completed=self.completed[end] - self.completed[sessions],
            repaired_flags=self.repaired[end] - self.repaired[repairs],
            unrepaired_flags=self.unrepaired[end] - self.unrepaired[repairs],
        )


def totals_of(days: Mapping[date, Day]) -> Totals:
    """The running totals of these days; a day without any count is left out."""
    nothing = Day()
    counted = sorted((day, counts) for day, counts in days.items() if counts != nothing)
    counts_in_order = [counts for _, counts in counted]
    return Totals(
        ordinals=array("i", (day.toordinal() for day, _ in counted)),
        held=_running_totals([counts.sessions_held for counts in counts_in_order]),
        completed=_running_totals([counts.checkins_completed for counts in counts_in_order]),
        repaired=_running_totals([counts.repaired_flags for counts in counts_in_order]),
        unrepaired=_running_totals([counts.unrepaired_flags for counts in counts_in_order]),
    )


def _running_totals(counts: list[int]) -> "array[int]":
    return array("i", accumulate(counts, initial=0))


@dataclass(frozen=True, slots=True)
class Therapist:
    """What is shown of one therapist. Instants are in seconds since 1970; 0 means none."""

    therapist_id: str
    team: str
    version: int
    active_cases: int
    #: In the order of `SEVERITIES`.
    open_flag_cases: tuple[int, ...]
    oldest_unacknowledged_at: float
    last_event_at: float
    #: None if there are too few clients to show scores.
    scored_cases: int | None
    score_points: float
    #: In the order of `INGREDIENTS`: the sum and the number of cases behind it; None if too few cases have one.
    ingredients: tuple[tuple[float, int] | None, ...]
    totals: Totals

    def is_shown(self, counts: Window) -> bool:
        """Whether the therapist still works here: there is an active case, or something happened in the windows."""
        return self.active_cases > 0 or not counts.is_empty


def therapist_of(summary: TherapistSummary) -> Therapist:
    """The part of a summary that is shown, with scores only if they have been published."""
    published = summary.published
    return Therapist(
        therapist_id=summary.therapist_id,
        team=sys.intern(summary.team),
        version=summary.version,
        active_cases=summary.active_cases,
        open_flag_cases=tuple(summary.open_flag_cases.get(severity, 0) for severity in SEVERITIES),
        oldest_unacknowledged_at=_seconds(summary.oldest_unacknowledged_at),
        last_event_at=_seconds(summary.last_event_at),
        scored_cases=None if published is None else published.scored_cases,
        score_points=0.0 if published is None else published.score_points,
        ingredients=tuple(_ingredient(published, name) for name in INGREDIENTS),
        totals=totals_of(summary.days),
    )


def _ingredient(published: Publication | None, name: str) -> tuple[float, int] | None:
    """The sum and its number of cases. An old sum without a number is not shown: it may come from a single client."""
    if published is None or name not in published.ingredient_points or name not in published.ingredient_scored_cases:
        return None
    return published.ingredient_points[name], published.ingredient_scored_cases[name]


def _seconds(instant: datetime | None) -> float:
    return 0.0 if instant is None else instant.timestamp()


@dataclass(slots=True)
class ExporterState:
    """What is shown of each therapist, and what has been counted of each flag."""

    therapists: dict[str, Therapist] = field(default_factory=dict)
    #: flag_id -> (version, whether its acknowledgement has been counted).
    flags: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def update_therapist(self, therapist_id: str, summary: TherapistSummary | None) -> bool:
        """Keep the newest summary; None (a tombstone) removes the therapist. Whether anything changed."""
        known = self.therapists.get(therapist_id)
        if summary is None:
            self.therapists.pop(therapist_id, None)
            return known is not None
        if known is not None and known.version >= summary.version:
            return False
        self.therapists[therapist_id] = therapist_of(summary)
        return True

    def update_flag(self, flag_id: str, flag: Flag | None) -> "FlagChange":
        """Keep the newest snapshot; None is a tombstone. What the snapshot has changed."""
        if flag is None:
            # The greatest version: an older snapshot, read again after an outage, must not count again.
            self.flags[flag_id] = sys.maxsize, True
            return FlagChange()
        known = self.flags.get(flag_id)
        if known is not None and known[0] >= flag.version:
            return FlagChange()
        was_counted = known is not None and known[1]
        acknowledged = flag.acknowledged_at is not None
        self.flags[flag_id] = flag.version, was_counted or acknowledged
        return FlagChange(
            opened=flag if known is None and flag.status != "retracted" else None,
            acknowledged_after=_waiting_time(flag) if acknowledged and not was_counted else None,
        )


@dataclass(frozen=True, slots=True)
class FlagChange:
    """What a snapshot has changed: that a flag was opened, and after how long it was acknowledged."""

    opened: Flag | None = None
    acknowledged_after: timedelta | None = None


def _waiting_time(flag: Flag) -> timedelta:
    acknowledged_at: datetime = flag.acknowledged_at or flag.opened_at
    return acknowledged_at - flag.opened_at
