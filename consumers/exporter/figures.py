"""What the exporter knows, and the figures that follow at a moment. Pure.

In: therapist summaries, flag snapshots, an instant. Out: rows of figures; what a snapshot newly tells.
Never: a score that has not passed disclosure control; a client or a case.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from schemas.flags import Flag
from schemas.summaries import Day, TherapistSummary

SESSION_DAYS = 28
REPAIR_DAYS = 90


@dataclass(frozen=True, slots=True)
class Window:
    """Counts of a therapist's last days."""

    sessions_held: int
    checkins_completed: int
    repaired_flags: int
    unrepaired_flags: int


def window(days: dict[date, Day], today: date) -> Window:
    """Sessions of the last 28 and flags of the last 90 UTC days, today included."""
    recent = [counts for day, counts in days.items() if today - timedelta(days=SESSION_DAYS) < day <= today]
    season = [counts for day, counts in days.items() if today - timedelta(days=REPAIR_DAYS) < day <= today]
    return Window(
        sessions_held=sum(counts.sessions_held for counts in recent),
        checkins_completed=sum(counts.checkins_completed for counts in recent),
        repaired_flags=sum(counts.repaired_flags for counts in season),
        unrepaired_flags=sum(counts.unrepaired_flags for counts in season),
    )


@dataclass(slots=True)
class Book:
    """The newest summary of each therapist and what is known of each flag."""

    therapists: dict[str, TherapistSummary] = field(default_factory=dict)
    #: flag_id -> (version, whether its acknowledgement has been counted).
    flags: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def take_therapist(self, therapist_id: str, summary: TherapistSummary | None) -> None:
        """Keep the newest; None (a tombstone) lets the therapist go."""
        if summary is None:
            self.therapists.pop(therapist_id, None)
            return
        known = self.therapists.get(therapist_id)
        if known is None or known.version < summary.version:
            self.therapists[therapist_id] = summary

    def take_flag(self, flag_id: str, flag: Flag | None) -> "Told":
        """What this snapshot newly tells: that a flag was opened, or after how long it was acknowledged."""
        if flag is None:
            self.flags.pop(flag_id, None)
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
