"""Counts false flags and caught ruptures in practices of a family.

In: cases, and for each case the sessions at which a detector opens flags. Out: tallies; counts caught at a price.
Never: count a flag in a case with a rupture as false.

*False*: flags per 100 client check-ins of the cases without a rupture. *Caught*: a flag opens at the onset of the
rupture or within the two sessions after it. A *price* is a number of false flags per 100 check-ins.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.detection_measure import Openings, Tally, caught_at
from benchmarks.families.case import Case

WITHIN_SESSIONS = 2


@dataclass(frozen=True, slots=True)
class Counts:
    """Ruptures planted or caught: of both kinds, and withdrawals alone. Between two settings they are not whole."""

    both: float = 0.0
    withdrawal: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.both + other.both, self.withdrawal + other.withdrawal)

    def share(self, planted: "Counts") -> "Counts":
        """The shares of the planted ruptures."""
        return Counts(self.both / max(planted.both, 1), self.withdrawal / max(planted.withdrawal, 1))


def planted(cases: Iterable[Case]) -> Counts:
    """How many ruptures the cases have."""
    kinds = Counter(case.rupture.kind for case in cases if case.rupture is not None)
    return Counts(kinds.total(), kinds["withdrawal"])


def quiet_checkins(cases: Iterable[Case]) -> int:
    """Client check-ins of the cases without a rupture: the denominator of the false flags."""
    return sum(len(case.client) for case in cases if case.rupture is None)


def tally(cases: Sequence[Case], openings: Openings) -> Tally:
    """Count the false flags and the ruptures caught at one setting."""
    false, caught = 0, Counter[str]()
    for case in cases:
        sessions, rupture = openings.get(case.case_id, ()), case.rupture
        if rupture is None:
            false += len(sessions)
        else:
            caught[rupture.kind] += any(0 <= session - rupture.onset <= WITHIN_SESSIONS for session in sessions)
    return Tally(100 * false / max(quiet_checkins(cases), 1), caught, ())


def counts_of(found: Tally) -> Counts:
    """The ruptures caught at one setting."""
    return Counts(found.total, found.caught["withdrawal"])


def counts_at(curve: Sequence[Tally], price: float) -> Counts:
    """The ruptures caught at this price, by the best setting within it or between two settings."""
    return Counts(caught_at(curve, price), caught_at(curve, price, "withdrawal"))
