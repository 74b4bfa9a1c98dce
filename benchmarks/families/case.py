"""What each family of practices returns: cases of client and therapist, their answers, and the planted ruptures.

Out: `Case`, `Rupture`, `Family`.
Never: a name, a time or an instrument (`benchmarks.families.events` gives them to a case).

Answers are four shares of the instrument's range, 0-1, in the order of `INGREDIENTS`. Sessions are numbered 1 to
`held`.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

INGREDIENTS = ("trust", "empathy", "goals", "communication")

Kind = Literal["confrontation", "withdrawal"]


@dataclass(frozen=True, slots=True)
class Rupture:
    """A planted rupture: `lasts` sessions from `onset`; `depth` is in SDs of the client's own sessions."""

    onset: int
    kind: Kind
    shape: str
    depth: float
    lasts: int
    #: Whether the therapist's own ratings show it.
    noticed: bool = False


@dataclass(slots=True)
class Case:
    """One client with one therapist, as the practice's log shows it."""

    case_id: str
    therapist: str
    team: str
    #: Sessions held in the log, which may begin after the first real session and end before the last.
    held: int
    #: Session -> the client's four answers, if there is a form.
    client: dict[int, list[float]]
    #: Session -> the therapist's four answers, if there is a form.
    therapist_ratings: dict[int, list[float]]
    #: Session -> appointments that the client missed since the session before, if any.
    missed: dict[int, int]
    #: The step in which answers are given, a share of the range.
    answer_step: float
    #: None if nothing was planted.
    rupture: Rupture | None
    #: Sessions before the log began; session 1 is the first in the log.
    sessions_before: int = 0


class PracticeMaker(Protocol):
    """Makes one practice of a family; the same seed gives the same practice."""

    def __call__(self, seed: int, checkins: int, ruptures: bool = True) -> list[Case]:
        """About `checkins` client forms; without `ruptures`: the same practice with nothing planted."""


@dataclass(frozen=True, slots=True)
class Family:
    """Practices of the same structure; families of one `group` share their main mechanism."""

    name: str
    group: str
    practice: PracticeMaker
