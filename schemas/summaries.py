"""The present state of a case and of a therapist.

Out: the messages of `alliance.cases.v1` and `alliance.therapists.v1`.
Never: means (sums and counts only), answers, names.
"""

from datetime import date, datetime
from typing import Literal

import msgspec

from schemas.flags import Severity

#: `left`: the case went to another therapist; `erased`: the case no longer counts anywhere.
CaseStatus = Literal["active", "closed", "left", "erased"]
#: Daily counts cover this many days up to the newest event: the longest window of any figure (docs/metrics.md).
COUNTED_DAYS = 90


class Day(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Counts of one UTC day."""

    sessions_held: int = 0
    checkins_completed: int = 0
    repaired_flags: int = 0
    unrepaired_flags: int = 0

    def plus(self, other: "Day") -> "Day":
        """The sum of both days' counts."""
        return Day(
            self.sessions_held + other.sessions_held,
            self.checkins_completed + other.checkins_completed,
            self.repaired_flags + other.repaired_flags,
            self.unrepaired_flags + other.unrepaired_flags,
        )


class CaseSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One case for its therapist. The highest `version` wins."""

    case_id: str
    therapist_id: str
    team: str
    #: The number of distinct accepted events of the case: it never falls and does not depend on their order.
    version: int
    status: CaseStatus
    last_event_at: datetime | None = None
    #: The latest scored client check-in: share of the instrument's range, 0-1.
    score: float | None = None
    ingredients: dict[str, float] = {}
    scored_at: datetime | None = None
    #: Whether that check-in names this therapist; it may be from before the case came to them.
    scored_here: bool = False
    #: Severity of the open or acknowledged flag, if there is one.
    open_flag: Severity | None = None
    unacknowledged_since: datetime | None = None
    #: Counts per UTC day of the case's last `COUNTED_DAYS` days.
    days: dict[date, Day] = {}


class Publication(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A therapist's score figures that may be shown, after disclosure control."""

    scored_cases: int
    #: Sum of the published mean over the scored cases, 0 to `scored_cases`.
    score_points: float
    ingredient_points: dict[str, float]
    #: The number of cases behind each of `ingredient_points`, at least five. Older messages do not have it; then the
    #: number of cases is unknown, and the ingredient must not be shown.
    ingredient_scored_cases: dict[str, int] = {}


class TherapistSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The present state of one therapist's cases. The highest `version` wins."""

    therapist_id: str
    team: str
    version: int
    last_event_at: datetime | None
    active_cases: int
    #: Active cases with at least one scored client check-in.
    scored_cases: int
    #: Sum of the latest scores of the scored cases.
    score_points: float
    ingredient_points: dict[str, float]
    #: Active cases with an open or acknowledged flag, by severity.
    open_flag_cases: dict[Severity, int]
    oldest_unacknowledged_at: datetime | None
    days: dict[date, Day]
    #: None if there are too few clients to publish anything about scores.
    published: Publication | None = None
    #: The number of scored cases behind each of `ingredient_points`; older messages do not have it.
    ingredient_scored_cases: dict[str, int] = {}
