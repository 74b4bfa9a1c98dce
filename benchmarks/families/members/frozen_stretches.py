"""Family: for weeks a client hands in the same form again, and later answers properly; nothing is wrong.

In: the four answers that the client means. Out: the four that are written.
Never: a frozen stretch that depends on the standing.

Freezing begins and ends by chance (two-state Markov chain). Some clients freeze often, most never do. A frozen client
repeats the form on which the stretch began, and sometimes lowers one item by one step.
"""

from dataclasses import dataclass

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Array, Chance, between
from benchmarks.families.laws.observation import in_steps
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import Person, climate
from benchmarks.families.members.item_laws import any_items

#: The chance to freeze at a session, averaged over clients, and the chance to thaw.
FREEZES, THAWS = (0.01, 0.08), (0.2, 0.5)
#: Share of the forms of a frozen stretch in which one item moves by a step.
FIDGETS = (0.0, 0.3)


@dataclass(frozen=True, slots=True)
class FrozenStretches:
    """A Markov chain between answering and frozen."""

    freezes: float
    thaws: float
    fidgets: float

    def __call__(self, answers: Array, person: Person, step: float, chance: Chance) -> Array:
        written = answers.copy()
        draws = chance.random((len(answers), 2))
        items = chance.integers(0, 4, len(answers))
        enters = min(self.freezes * 4 * person.stiffness**3, 0.6)
        is_frozen = False
        for session in range(1, len(answers)):
            is_frozen = draws[session, 0] < (1 - self.thaws if is_frozen else enters)
            if is_frozen:
                written[session] = written[session - 1]
                if draws[session, 1] < self.fidgets:
                    written[session, items[session]] -= step
        return in_steps(written, step)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    people = climate(chance)
    stretches = FrozenStretches(between(chance, *FREEZES), between(chance, *THAWS), between(chance, *FIDGETS))
    return ordinary_laws(chance, any_items(chance, people.mean), people=people, habits=stretches)


FAMILY = family("frozen-stretches", "habits", laws)
