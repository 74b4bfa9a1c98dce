"""What is known of a case and of a therapist at this moment.

In: nothing. Out: the messages of `alliance.cases.v1` and `alliance.therapists.v1`.
Never: means (sums and counts only), answers, names.
"""

from datetime import date, datetime
from typing import Literal

import msgspec

from schemas.flags import Severity

#: `left`: the case went to another therapist; `erased`: nothing of it may count any more.
CaseStatus = Literal["active", "closed", "left", "erased"]


class Day(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Counts of one UTC day."""

    sessions_held: int = 0
    checkins_completed: int = 0
    repaired_flags: int = 0
    unrepaired_flags: int = 0

    def plus(self, other: "Day") -> "Day":
        """Both days' counts together."""
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
    #: Distinct accepted events of the case, so it never falls and depends on no order of arrival.
    version: int
    status: CaseStatus
    last_event_at: datetime | None = None
    #: The latest scored client check-in: share of the instrument's range, 0-1.
    score: float | None = None
    ingredients: dict[str, float] = {}
    scored_at: datetime | None = None
    #: Whether that check-in names this therapist; it may have come along with the case.
    scored_here: bool = False
    #: Severity of the live flag, if there is one.
    open_flag: Severity | None = None
    unacknowledged_since: datetime | None = None
    #: Counts per UTC day of the case's last 90 days.
    days: dict[date, Day] = {}


class Publication(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The score figures of a therapist that may leave the log, after disclosure control."""

    scored_cases: int
    #: Sum of the published mean over the scored cases, 0 to `scored_cases`.
    score_points: float
    ingredient_points: dict[str, float]
    #: Cases behind each of `ingredient_points`, at least five. Not there in what was written before it was counted:
    #: then nobody knows how many cases stand behind an ingredient, and it must not be shown.
    ingredient_scored_cases: dict[str, int] = {}


class TherapistSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One therapist's practice at this moment. The highest `version` wins."""

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
    #: Active cases with a live flag, by severity.
    open_flag_cases: dict[Severity, int]
    oldest_unacknowledged_at: datetime | None
    days: dict[date, Day]
    #: None: too few clients to publish anything about scores.
    published: Publication | None = None
    #: The scored cases that have each of `ingredient_points`; not there in what was written before it was counted.
    ingredient_scored_cases: dict[str, int] = {}
