"""Who sees whom for how long: therapists, lengths of cases, cases in progress, clients who change therapist.

In: a seed. Out: `Seat` after `Seat`, each one case as the log shows it.
Never: an answer.

Lengths are log-normal between 3 and 60 sessions. If a case was in progress when the log began, the log has its later
sessions only. If a case continues after the log's end, the log has the earlier ones. A client who changes therapist is
a new case with the same person.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from math import exp, log

from benchmarks.families.laws.chance import Chance, Purpose, between, between_in_proportion, happens, stream

SHORTEST, LONGEST = 3, 60
TEAMS = ("north", "south", "east", "west")


@dataclass(frozen=True, slots=True)
class Caseload:
    """The mix of cases of one practice."""

    #: Few therapists with many cases each, or many with few.
    therapists: int
    median_sessions: float
    log_sd_sessions: float
    in_progress_share: float
    unfinished_share: float
    transfer_share: float


@dataclass(frozen=True, slots=True)
class Seat:
    """One case without its content."""

    number: int
    person_number: int
    therapist_number: int
    sessions_before: int
    held: int

    @property
    def case_id(self) -> str:
        return f"c-{self.number:05d}"

    @property
    def therapist(self) -> str:
        return f"t-{self.therapist_number + 1:02d}"

    @property
    def team(self) -> str:
        return TEAMS[self.therapist_number % len(TEAMS)]


def caseload(chance: Chance) -> Caseload:
    """One practice's mix of cases."""
    return Caseload(
        therapists=round(between_in_proportion(chance, 5, 60)),
        median_sessions=between_in_proportion(chance, 6, 16),
        log_sd_sessions=between(chance, 0.5, 0.9),
        in_progress_share=between(chance, 0.0, 0.4),
        unfinished_share=between(chance, 0.0, 0.4),
        transfer_share=between(chance, 0.0, 0.06),
    )


def seats(mix: Caseload, seed: int) -> Iterator[Seat]:
    """Cases without end; the first ones are the same no matter how many are used."""
    person = 0
    for number in count():
        chance = stream(seed, Purpose.CASELOAD, number)
        yield _seat(mix, number, person, chance)
        person += not happens(chance, mix.transfer_share)


def _seat(mix: Caseload, number: int, person: int, chance: Chance) -> Seat:
    length = exp(log(mix.median_sessions) + mix.log_sd_sessions * float(chance.standard_normal()))
    whole = min(max(round(length), SHORTEST), LONGEST)
    first = int(chance.integers(0, whole)) if happens(chance, mix.in_progress_share) else 0
    end = int(chance.integers(first + 1, whole + 1)) if happens(chance, mix.unfinished_share) else whole
    therapist = int(chance.integers(0, mix.therapists))
    return Seat(number, person, therapist, first, end - first)
