"""Detectors to be compared with the product's rules: two functions each, measured at equal numbers of false flags.

In: what a candidate learns from a history, and the evidence that it sees in a case. Out: where it would open flags, for
limits from the most flags to the fewest.
Never: choose a limit. The comparison is at equal prices, so a candidate needs none.

All candidates share the lifecycle of the field's rules: a flag opens when the evidence exceeds the limit. An open flag
is not opened again. Two sessions in a row at or below the limit end it, and so do `UNREPAIRED_AFTER` sessions; after
these a session at or below the limit is needed before the next flag.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.detection_measure import Openings, openings_by_setting
from benchmarks.families.case import Case
from pipeline.core.case.flag_lifecycle import REPAIR_CHECKINS, UNREPAIRED_AFTER

#: At most this many limits are tried.
MOST_LIMITS = 80


@dataclass(frozen=True, slots=True)
class Candidate:
    """A detector in two functions. The profile can be anything that `learn` returns and `evidence` understands."""

    name: str
    #: From the unlabelled cases of a history; a candidate does not look at `Case.rupture`.
    learn: Callable[[Sequence[Case]], Any]
    #: For each session held, from what is known after it: the greater, the more speaks for a rupture.
    evidence: Callable[[Case, Any], Sequence[float]]


#: From the group of families that is judged to the candidate whose free numbers were chosen without that group.
CandidateFor = Callable[[str], Candidate]


def candidate_openings(candidate: Candidate, history: Sequence[Case], judged: Sequence[Case]) -> list[Openings]:
    """Learn from the history, and say where flags open in the judged cases at each limit."""
    profile = candidate.learn(history)
    evidence = {case.case_id: candidate.evidence(case, profile) for case in judged}
    limits = _limits([max(of_case) for of_case in evidence.values() if of_case])
    return openings_by_setting(evidence, limits, lambda case_id, limit: list(opened(evidence[case_id], limit)))


def opened(evidence: Sequence[float], limit: float) -> Iterator[int]:
    """Session numbers at which a flag opens."""
    opened_at, back, is_live, is_armed = 0, 0, False, True
    for session, value in enumerate(evidence, start=1):
        if is_live:
            back = back + 1 if value <= limit else 0
            is_repaired = back >= REPAIR_CHECKINS
            if is_repaired or session - opened_at >= UNREPAIRED_AFTER:
                is_live, is_armed = False, is_repaired
        elif value > limit and is_armed:
            opened_at, back, is_live = session, 0, True
            yield session
        else:
            is_armed = is_armed or value <= limit


def _limits(peaks: Sequence[float]) -> list[float]:
    """Limits from low to high; more of them where few cases are flagged, because prices are low there."""
    highest_first = sorted(set(peaks), reverse=True)
    places = sorted({round((step / MOST_LIMITS) ** 2 * (len(highest_first) - 1)) for step in range(MOST_LIMITS)})
    return [highest_first[place] for place in reversed(places)] if highest_first else []
