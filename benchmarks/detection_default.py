"""The default setting in practice: how many flags there are, how often they are right, and what they miss.

In: simulated practices of a regime. Out: counts that add up over regimes, and the shares that follow from them.
Never: use a setting other than the default one.

A flag is *right* if it opens at the onset session of a planted rupture or at one of the sessions within which a
rupture counts as caught. A check-in is *strained* if its session is in the planted stretch.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from alliance.evaluation.backtest import PRACTICE_THERAPISTS
from benchmarks.detection_practice import FIRST_DAY, Practice
from pipeline.core.case.flag_lifecycle import REPAIR_CHECKINS, Episode
from pipeline.core.detection.detectors import DETECTORS
from pipeline.core.detection.history import History
from pipeline.core.instants import DAY_US, to_us
from pipeline.core.records import CLIENT, CheckinRecord, ClosedRecord

WEEK_US = 7 * DAY_US
MONTH_US = 365.25 / 12 * DAY_US
#: A repair is found if the flag is published as repaired this close to the first session after the strain.
REPAIR_WITHIN_SESSIONS = 2
#: Up to here a flag counts as early in its case.
EARLY_SESSIONS = 5
#: Stated probabilities of strain are compared with what was planted in bins between these.
EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)

#: Kind, shape, depth.
Stratum = tuple[str, str, float]


@dataclass(slots=True)
class Bin:
    """Check-ins at which the stated probability of strain was between two edges; of these, those before any flag."""

    checkins: int = 0
    stated: float = 0.0
    strained: int = 0
    unflagged: int = 0
    unflagged_strained: int = 0

    def add(self, other: "Bin") -> None:
        """Add another bin of the same edges to this practice."""
        self.checkins += other.checkins
        self.stated += other.stated
        self.strained += other.strained
        self.unflagged += other.unflagged
        self.unflagged_strained += other.unflagged_strained


@dataclass(slots=True)
class AtDefault:
    """Counts over one regime or several."""

    counts: Counter[str] = field(default_factory=Counter)
    false_kinds: Counter[str] = field(default_factory=Counter)
    planted: Counter[Stratum] = field(default_factory=Counter)
    caught: Counter[Stratum] = field(default_factory=Counter)
    bins: list[Bin] = field(default_factory=lambda: [Bin() for _ in pairwise(EDGES)])
    #: Live flags at the end of each week, scaled to 40 therapists.
    live: list[float] = field(default_factory=list)

    def share(self, part: str, whole: str) -> float:
        """One count as a share of another."""
        return self.counts[part] / max(self.counts[whole], 1)

    @property
    def per_practice_week(self) -> float:
        """Flags opened a week among 40 therapists."""
        return PRACTICE_THERAPISTS * self.share("flags", "therapist_weeks")

    @property
    def false_per_client_month(self) -> float:
        """False flags in a month of one client, from the case's first event to its last or to the onset."""
        return self.share("false_flags", "quiet_us") * MONTH_US


def together(many: Iterable[AtDefault]) -> AtDefault:
    """Several regimes as practice."""
    total = AtDefault()
    for part in many:
        total.counts.update(part.counts)
        total.false_kinds.update(part.false_kinds)
        total.planted.update(part.planted)
        total.caught.update(part.caught)
        total.live += part.live
        for own, more in zip(total.bins, part.bins, strict=True):
            own.add(more)
    return total


@dataclass(slots=True)
class Outcome:
    """One case at the default setting."""

    episodes: list[Episode] = field(default_factory=list)
    #: Flag -> number of the newest session when its end was published.
    ended: dict[str, int] = field(default_factory=dict)
    #: For each scored client check-in: its session, the probability of strain when the detectors were asked, and
    #: whether no flag had opened before.
    stated: list[tuple[int, float, bool]] = field(default_factory=list)
    sessions: int = 0
    closed_as: str = ""
    quiet_us: int = 0


def outcome_of(practice: Practice, case_id: str) -> Outcome:
    """Fold one case and note what is published."""
    asked = [0.0]

    def listen(history: History) -> None:
        asked[0] = 1 - history.evidence.probability_unstrained

    timeline = practice.timeline(case_id, detectors=(*DETECTORS, listen))
    onset, found = practice.onset(case_id), Outcome()
    first_at = practice.items[case_id][0][0][0]
    for at, record in practice.items[case_id]:
        is_unflagged = not timeline.episodes.by_flag_id
        for flag in timeline.advance(at, record):
            if not flag.is_live:
                found.ended.setdefault(flag.flag_id, timeline.history.session_number)
        if timeline.history.session_number < onset:
            found.quiet_us = at[0] - first_at
        if isinstance(record, CheckinRecord) and record.rater == CLIENT and record.total is not None:
            found.stated.append((timeline.sessions[record.session][0], asked[0], is_unflagged))
        elif isinstance(record, ClosedRecord):
            found.closed_as = record.reason
    found.episodes, found.sessions = list(timeline.episodes.by_flag_id.values()), timeline.history.session_number
    return found


def at_default(practices: Sequence[Practice], within: int) -> AtDefault:
    """Practices of one regime; a rupture is caught by a flag `within` sessions after its onset."""
    found, episodes = AtDefault(), list[Episode]()
    for practice in practices:
        found.counts.update(
            therapist_weeks=practice.conditions.therapists * practice.conditions.weeks,
            quiet_checkins=practice.quiet_checkins,
        )
        for case_id in practice.items:
            case = outcome_of(practice, case_id)
            episodes += case.episodes
            _count_flags(found, case, practice.onset(case_id), within)
            _count_leaving(found, case)
            _count_calibration(found, case, practice.strained(case_id))
            if case_id in practice.truth:
                _count_rupture(found, case, practice, case_id, within)
    scale = PRACTICE_THERAPISTS / sum(practice.conditions.therapists for practice in practices)
    ends = [to_us(FIRST_DAY) + (week + 1) * WEEK_US for week in range(practices[0].conditions.weeks)]
    found.live = [scale * sum(_is_live_at(flag, end) for flag in episodes) for end in ends]
    return found


def _count_flags(found: AtDefault, case: Outcome, onset: int, within: int) -> None:
    false = [flag for flag in case.episodes if flag.session_number < onset]
    right = [flag for flag in case.episodes if 0 <= flag.session_number - onset <= within]
    found.false_kinds.update(flag.signal.kind for flag in false)
    found.counts.update(
        cases=1, flags=len(case.episodes), false_flags=len(false), right_flags=len(right), quiet_us=case.quiet_us
    )
    for group, episodes in (("flags", case.episodes), ("right_flags", right)):
        early = sum(flag.session_number <= EARLY_SESSIONS for flag in episodes)
        found.counts.update({f"early_{group}": early, f"later_{group}": len(episodes) - early})


def _count_leaving(found: AtDefault, case: Outcome) -> None:
    """Cases flagged before the last session; a case of one session cannot have been."""
    if not case.closed_as or case.sessions < 2:
        return
    group = "dropouts" if case.closed_as == "dropout" else "others"
    was_flagged = any(flag.session_number < case.sessions for flag in case.episodes)
    found.counts.update({group: 1, f"{group}_flagged": was_flagged})


def _count_calibration(found: AtDefault, case: Outcome, strained: range) -> None:
    for number, stated, is_unflagged in case.stated:
        index = next(index for index, edge in enumerate(EDGES[1:]) if stated <= edge)
        is_strained = number in strained
        found.bins[index].add(Bin(1, stated, is_strained, is_unflagged, is_unflagged and is_strained))


def _count_rupture(found: AtDefault, case: Outcome, practice: Practice, case_id: str, within: int) -> None:
    row, onset = practice.truth[case_id], practice.onset(case_id)
    stratum = (row["kind"], row["shape"], row["depth"])
    found.planted[stratum] += 1
    found.counts["ruptures"] += 1
    catching = [flag for flag in case.episodes if 0 <= flag.session_number - onset <= within]
    if not catching:
        return
    found.caught[stratum] += 1
    if row["repaired_session"] is not None:
        _count_repair(found, case, catching[0], row["repaired_session"])


def _count_repair(found: AtDefault, case: Outcome, flag: Episode, repaired_at: int) -> None:
    """A repair can only be seen if enough check-ins follow both it and the flag."""
    after = sum(number >= repaired_at and number > flag.session_number for number, _, _ in case.stated)
    is_published = flag.status == "repaired"
    is_near = is_published and abs(case.ended[flag.flag_id] - repaired_at) <= REPAIR_WITHIN_SESSIONS
    for group in ("repairs", "visible_repairs") if after >= REPAIR_CHECKINS else ("repairs",):
        found.counts.update({group: 1, f"{group}_seen": is_published, f"{group}_found": is_near})


def _is_live_at(flag: Episode, at: int) -> bool:
    return flag.opened_at <= at and (flag.closed_at is None or flag.closed_at > at)
