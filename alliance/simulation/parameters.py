"""What can be chosen about the simulated practice.

In: numbers, each with its unit and its source. Out: `PracticeParameters`, checked, and what follows from them.
Never: a real client's data; a random number.

"Working value" means a plausible number without a published source. "Assumption" means a number chosen here because the
literature gives only a direction. Neither is evidence about therapy.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

INSTRUMENT = "checkin-4/1"
MOST_THERAPISTS = 16_000
MOST_WEEKS = 1_500
MOST_SESSIONS_PER_WEEK = 33


@dataclass(frozen=True, slots=True)
class Regime:
    """How near the ceiling clients answer: latent points on the scale 0–40, before clipping."""

    level: float
    client_sd: float
    within_sd: float


# A client SD of 3.6 gives a one-session generalizability near the .77 of Crits-Christoph et al. 2011.
REGIMES: Mapping[str, Regime] = MappingProxyType(
    {
        "base": Regime(level=37.5, client_sd=3.6, within_sd=2.0),  # about a third of forms perfect
        "low": Regime(level=35.0, client_sd=3.6, within_sd=2.5),  # about a sixth
        "heavy": Regime(level=40.0, client_sd=4.2, within_sd=2.2),  # more than half
    }
)


@dataclass(frozen=True, kw_only=True)
class PracticeParameters:
    """One practice. `first_day` is the midnight at which day 0 begins, in the practice's own time zone."""

    first_day: datetime
    seed: int = 1

    # Size and calendar.
    therapists: int = 40
    teams: int = 4
    weeks: int = 26
    sessions_per_week: float = 20.0  # held, per therapist with a full week; assumption of the benchmark
    caseload_least: int = 14  # standing appointments per therapist; 10–40 active cases, working value
    caseload_typical: float = 28.0
    caseload_sd: float = 6.0
    caseload_most: int = 40
    cases_under_way: bool = True  # a practice in its steady state; False: every appointment begins a new case

    # Episodes, in sessions held.
    # A log-normal plan, cut short by dropout: median 5, 56 % at most 5 (Mahon & Brown 2021), tail above 40.
    planned_median: float = 6.0
    planned_log_sd: float = 0.95
    sessions_most: int = 60
    gap_weeks: float = 1.0  # mean time an appointment stays empty; working value
    missed_share: float = 0.10  # of appointments; working value
    missed_by_client_share: float = 0.7  # of missed ones; assumption
    missed_by_therapist_share: float = 0.2  # of missed ones; assumption; the rest is "unknown"
    transfer_share: float = 0.02  # of cases that do not drop out; assumption
    dropout_share: float = 0.20  # of cases: about one in five, most in the first sessions
    dropout_mean: float = 2.0  # sessions attended before dropping out without a rupture; working value
    dropout_odds_ratio: float = 2.7  # per -1 SD of alliance: d = .55 (Sharf et al. 2010) as log-odds

    # The latent alliance, in points on the scale 0–40.
    ceiling: Literal["base", "low", "heavy"] = "base"
    therapist_sd: float = 1.0  # a between-therapist ICC of about .05 for client ratings; working value
    growth: float = 0.12  # points per session; a trend is usual (Stevens et al. 2007), size working value
    growth_sessions: int = 10  # then flat
    autocorrelation: float = 0.3  # lag 1, per session, within client (.15–.45); size working value
    item_unevenness: float = 0.5  # SD of the log share of each item in the shortfall: loadings of about .8–.9

    # Forms.
    missing_share: float = 0.30  # of sessions held (20–40 %); working value
    missingness: Literal["random", "informative"] = "informative"
    missing_odds_ratio: float = 1.5  # per -1 latent SD; direction Mahon & Brown 2021, size working value
    missing_therapist_log_odds_sd: float = 0.5  # two thirds of therapists within 20–40 %; working value
    inverted_share: float = 0.015  # forms filled in from right to left (1–2 %); working value

    # Ruptures.
    rupture_prevalence: float = 0.25  # of cases planned for 4 sessions or more; Larsson et al. 2018 (10–50 %)
    rupture_first_session: int = 3  # earliest onset; assumption
    rupture_depths: tuple[float, ...] = (1.5, 2.5, 4.0)  # latent within-SDs, equally often; assumption
    repaired_share: float = 0.58  # 89 of 154, Larsson et al. 2018
    v_share: float = 0.65  # of repaired: V most common (Gumz et al. 2012), size assumption
    decline_most: int = 6  # sessions: the longest decline seen by Gumz et al. 2012
    withdrawal_share: float = 0.65  # direction Schenk et al. 2019, size assumption
    withdrawal_visible: float = 0.4  # of the depth shows in the score; assumption
    withdrawal_flat_share: float = 0.6  # forms with four equal answers; assumption
    withdrawal_perfect_share: float = 0.5  # of flat forms: surface agreement; assumption
    withdrawal_odds_ratio: float = 3.0  # of a missing form, and of a missed appointment; assumption
    rupture_focus: float = 2.0  # how many times its usual share the strained ingredient loses; assumption

    # The therapist's own check-ins.
    therapist_checkins: bool = False
    therapist_gap_sd: float = 0.46  # latent SDs below the client, Igra et al. 2020 (.7 observed: the ceiling)
    therapist_congruence: float = 0.3  # correlation of session residuals (.1–.5); working value
    therapist_level_correlation: float = 0.4  # of the case's usual level; assumption
    therapist_rated_icc: float = 0.15  # between therapists (.10–.30); working value
    therapist_missing_share: float = 0.2  # of sessions held; assumption
    unnoticed_share: float = 0.4  # ruptures the therapist does not notice; assumption

    # Faults of senders, for robustness tests: shares of client check-ins, or of all events.
    corrected_share: float = 0.0
    voided_share: float = 0.0
    duplicated_share: float = 0.0
    late_share: float = 0.0
    late_hours: float = 24.0  # mean delay of a late event or of a duplicate

    def __post_init__(self) -> None:
        if self.first_day.utcoffset() is None:
            raise ValueError("first_day needs a time zone")
        if not 1 <= self.therapists <= MOST_THERAPISTS or self.teams < 1:
            raise ValueError(f"a practice has 1–{MOST_THERAPISTS} therapists and at least one team")
        if not 0 <= self.weeks <= MOST_WEEKS or self.seed < 0:
            raise ValueError(f"weeks are 0–{MOST_WEEKS}; a seed is 0 or more")
        if self.ceiling not in REGIMES or self.missingness not in ("random", "informative"):
            raise ValueError("ceiling is base, low or heavy; missingness is random or informative")
        if not self.rupture_depths or self.rupture_first_session < 2:
            raise ValueError("a rupture has a depth and begins at session 2 or later")
        if self.planned_median < 1 or self.planned_log_sd <= 0 or abs(self.autocorrelation) >= 1:
            raise ValueError("episodes have a spread, and an autocorrelation is between -1 and 1")
        if not 0 < self.sessions_per_week <= MOST_SESSIONS_PER_WEEK:
            raise ValueError(f"sessions_per_week is above 0 and at most {MOST_SESSIONS_PER_WEEK}")
        self._check_shares()

    def _check_shares(self) -> None:
        for name in self.__dataclass_fields__:
            if name.endswith("_share") and not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share between 0 and 1")

    @property
    def regime(self) -> Regime:
        return REGIMES[self.ceiling]

    @property
    def between_sd(self) -> float:
        """SD of a case's usual level, in latent points."""
        return math.hypot(self.therapist_sd, self.regime.client_sd)

    @property
    def total_sd(self) -> float:
        """SD of one session of one case, in latent points."""
        return math.hypot(self.between_sd, self.regime.within_sd)

    @property
    def therapist_rated_sd(self) -> float:
        """SD between therapists of their own ratings, in latent points."""
        return self.total_sd * math.sqrt(self.therapist_rated_icc)

    @property
    def therapist_case_sd(self) -> float:
        """SD between the cases of a therapist of the therapist's ratings: what is left of the same total."""
        left = self.total_sd**2 - self.therapist_rated_sd**2 - self.regime.within_sd**2
        return math.sqrt(max(left, 0.0))
