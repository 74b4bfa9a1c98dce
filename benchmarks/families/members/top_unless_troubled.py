"""Family: clients who are content tick the top; only troubled clients look at the scale.

In: a standing. Out: four answers in five, seven or eleven steps.
Never: a middling answer from habit.

A form has two parts (a hurdle). The lower the standing, the likelier the client looks at the scale at all; a client
who does not look ticks the top four times. A client who looks answers each item by itself, sometimes with the top.
Clients differ in how readily they look.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, between
from benchmarks.families.laws.forms import stiff_habits
from benchmarks.families.laws.observation import in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate

STEPS = (5, 7, 11)
#: The standing below which a client looks: its mean, its noise from day to day, and how far clients differ.
HURDLE, SHARPNESS, CLIENTS_SD = (0.80, 0.92), (0.02, 0.08), (0.02, 0.10)
NOISE = (0.14, 0.30)
#: A client who looks is a little more critical than the standing alone.
CRITICAL = (0.0, 0.08)


@dataclass(frozen=True, slots=True)
class TopUnlessTroubled:
    """A hurdle before the scale."""

    hurdle: float
    sharpness: float
    clients_sd: float
    noise: float
    critical: float
    step: float

    def __call__(self, standing: Array, fall: Array, person: Person, chance: Chance) -> Array:
        sessions = len(standing)
        own = self.hurdle + self.clients_sd * person.item_ways[0]
        worst = standing - 0.5 * (fall.mean(axis=1) + fall.max(axis=1))
        looks = worst + self.sharpness * chance.standard_normal(sessions) < own
        items = standing[:, None] - fall - self.critical + self.noise * chance.standard_normal((sessions, 4))
        return np.where(looks[:, None], in_steps(items, self.step), 1.0)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    step = 1 / (int(chance.choice(STEPS)) - 1)
    law = TopUnlessTroubled(
        hurdle=between(chance, *HURDLE),
        sharpness=between(chance, *SHARPNESS),
        clients_sd=between(chance, *CLIENTS_SD),
        noise=between(chance, *NOISE),
        critical=between(chance, *CRITICAL),
        step=step,
    )
    people = climate(chance, mean=(0.82, 0.96), between_clients=(0.10, 0.18), within=(0.06, 0.14))
    return ordinary_laws(chance, law, answer_step=step, people=people, habits=stiff_habits(chance, most=0.03))


FAMILY = family("top-unless-troubled", "steps", laws)
