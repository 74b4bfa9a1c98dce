"""What the therapist answers after the same sessions: nothing, what the client feels, something else, or the opposite.

In: the client's level and course, the strain. Out: session -> four answers.
Never: use what the client answered.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.families.laws.chance import Array, Chance, autoregressive, between
from benchmarks.families.laws.observation import in_steps
from benchmarks.families.laws.people import Climate, Person
from benchmarks.families.laws.planting import Strain

Ratings = dict[int, list[float]]
View = Literal["none", "sees", "blind", "opposite"]
#: How much of the client's fall the rating of a therapist who notices it shows.
SHOWN = {"none": 0.0, "sees": 0.8, "blind": 0.0, "opposite": -0.4}


@dataclass(frozen=True, slots=True)
class SecondRater:
    """The therapists' ratings of one practice."""

    view: View
    forms_share: float
    #: How far therapists rate below their clients.
    gap: float
    #: Correlation of the two raters' days.
    congruence: float
    item_noise: float

    def ratings(self, people: Climate, who: Person, day: Array, strain: Strain, step: float, chance: Chance) -> Ratings:
        """`day`: how far each session is from the client's own level, in own SDs."""
        sessions = len(day)
        own = autoregressive(chance.standard_normal(sessions), people.lag)
        case, present = float(chance.standard_normal()), chance.random(sessions) < self.forms_share
        noise = chance.standard_normal((sessions, 4)) * self.item_noise
        if self.view == "none":
            return {}
        level = people.mean - self.gap + 0.4 * (who.level - people.mean) + 0.6 * people.between * case
        mixed = self.congruence * day + (1 - self.congruence**2) ** 0.5 * own
        answers = in_steps((level + people.within * mixed - self._seen(who, strain))[:, None] + noise, step)
        return {int(index) + 1: answers[index].tolist() for index in np.flatnonzero(present)}

    def _seen(self, person: Person, strain: Strain) -> Array:
        """How far the therapist's rating falls in a rupture."""
        noticed = strain.rupture is not None and strain.rupture.noticed
        share = SHOWN[self.view] if noticed or self.view == "opposite" else 0.0
        return np.asarray(share * person.spread * strain.fall.mean(axis=1))


VIEWS: tuple[View, ...] = ("none", "sees", "blind", "opposite")


def second_rater(chance: Chance) -> SecondRater:
    """One practice's second rater; four practices in ten have no second rater."""
    return SecondRater(
        view=VIEWS[int(chance.choice(4, p=(0.4, 0.3, 0.2, 0.1)))],
        forms_share=between(chance, 0.3, 1.0),
        gap=between(chance, 0.0, 0.12),
        congruence=between(chance, 0.1, 0.5),
        item_noise=between(chance, 0.02, 0.06),
    )
