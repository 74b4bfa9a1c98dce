"""What the exporter knows, and the figures that follow at a moment. Pure.

In: therapist summaries, flag snapshots, an instant. Out: rows of figures; what a snapshot newly tells.
Never: a score that has not passed disclosure control; a client or a case.

Only what is shown is kept, and counts per day as running totals: ten thousand therapists stay small and a window costs
two look-ups. A therapist without an active case, a session in the last 28 days or the end of a flag in the last 90 is
gone and is shown no more; with the first new event the therapist is back.
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
    """Counts of a therapist's last days."""

    sessions_held: int
    checkins_completed: int
    repaired_flags: int
    unrepaired_flags: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing has happened."""
        return not (self.sessions_held or self.checkins_completed or self.repaired_flags or self.unrepaired_flags)


def window(days: Mapping[date, Day], today: date) -> Window:
    """Sessions of the last 28 and flags of the last 90 UTC days, today included: the definition, in plain words."""
    recent = [counts for day, counts in days.items() if today - timedelta(days=SESSION_DAYS) < day <= today]
    season = [counts for day, counts in days.items() if today - timedelta(days=REPAIR_DAYS) < day <= today]
    return Window(
        sessions_held=sum(counts.sessions_held for counts in recent),
        checkins_completed=sum(counts.checkins_completed for counts in recent),
        repaired_flags=sum(counts.repaired_flags for counts in season),
        unrepaired_flags=sum(counts.unrepaired_flags for counts in season),
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts per day as running totals; each list of totals is one longer than the list of days."""

    ordinals: "array[int]"
    held: "array[int]"
    completed: "array[int]"
    repaired: "array[int]"
    unrepaired: "array[int]"

    def window(self, today: date) -> Window:
        """As the function `window`, in two look-ups."""
        ordinal = today.toordinal()
        end = bisect_right(self.ordinals, ordinal)
        recent = bisect_right(self.ordinals, ordinal - SESSION_DAYS, hi=end)
        season = bisect_right(self.ordinals, ordinal - REPAIR_DAYS, hi=recent)
        return Window(
            sessions_held=self.held[end] - self.held[recent],
            checkins_completed=self.completed[end] - self.completed[recent],
            repaired_flags=self.repaired[end] - self.repaired[season],
            unrepaired_flags=self.unrepaired[end] - self.unrepaired[season],
        )


def totals_of(days: Mapping[date, Day]) -> Totals:
    """The days in order; a day without a count is left out."""
    nothing = Day()
    told = sorted((day, counts) for day, counts in days.items() if counts != nothing)
    counts_of = [counts for _, counts in told]
    return Totals(
        ordinals=array("i", (day.toordinal() for day, _ in told)),
        held=_running([one.sessions_held for one in counts_of]),
        completed=_running([one.checkins_completed for one in counts_of]),
        repaired=_running([one.repaired_flags for one in counts_of]),
        unrepaired=_running([one.unrepaired_flags for one in counts_of]),
    )


def _running(counts: list[int]) -> "array[int]":
    return array("i", accumulate(counts, initial=0))


@dataclass(frozen=True, slots=True)
class Therapist:
    """What is shown of one therapist. Instants in seconds since 1970, 0: none."""

    therapist_id: str
    team: str
    version: int
    active_cases: int
    #: In the order of `SEVERITIES`.
    open_flag_cases: tuple[int, ...]
    oldest_unacknowledged_at: float
    last_event_at: float
    #: None: too few clients to show anything about scores.
    scored_cases: int | None
    score_points: float
    #: In the order of `INGREDIENTS`: the sum and the cases behind it; None: not measured, or by too few.
    ingredients: tuple[tuple[float, int] | None, ...]
    totals: Totals

    def is_shown(self, counts: Window) -> bool:
        """Whether the therapist still works here: an active case, or something in the windows."""
        return self.active_cases > 0 or not counts.is_empty


def shown(summary: TherapistSummary) -> Therapist:
    """What of a summary is shown; scores only where something has been published."""
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
    """A sum that was published without its count, as it once was, may be a single client's: it is not shown."""
    if published is None or name not in published.ingredient_points or name not in published.ingredient_scored_cases:
        return None
    return published.ingredient_points[name], published.ingredient_scored_cases[name]


def _seconds(instant: datetime | None) -> float:
    return 0.0 if instant is None else instant.timestamp()


@dataclass(slots=True)
class Book:
    """What is shown of each therapist and what is known of each flag."""

    therapists: dict[str, Therapist] = field(default_factory=dict)
    #: flag_id -> (version, whether its acknowledgement has been counted).
    flags: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def take_therapist(self, therapist_id: str, summary: TherapistSummary | None) -> bool:
        """Keep the newest; None (a tombstone) lets the therapist go. Whether anything changed."""
        known = self.therapists.get(therapist_id)
        if summary is None:
            self.therapists.pop(therapist_id, None)
            return known is not None
        if known is not None and known.version >= summary.version:
            return False
        self.therapists[therapist_id] = shown(summary)
        return True

    def take_flag(self, flag_id: str, flag: Flag | None) -> "Told":
        """What this snapshot newly tells: that a flag was opened, or after how long it was acknowledged."""
        if flag is None:
            # An older snapshot, read once more after an outage, must not count again.
            self.flags[flag_id] = sys.maxsize, True
            return Told()
        known = self.flags.get(flag_id)
        if known is not None and known[0] >= flag.version:
            return Told()
        was_counted = known is not None and known[1]
        acknowledged = flag.acknowledged_at is not None
        self.flags[flag_id] = flag.version, was_counted or acknowledged
        return Told(
            opened=flag if known is None and flag.status != "retracted" else None,
            acknowledged_after=_waited(flag) if acknowledged and not was_counted else None,
        )


@dataclass(frozen=True, slots=True)
class Told:
    """News of a flag."""

    opened: Flag | None = None
    acknowledged_after: timedelta | None = None


def _waited(flag: Flag) -> timedelta:
    acknowledged_at: datetime = flag.acknowledged_at or flag.opened_at
    return acknowledged_at - flag.opened_at
