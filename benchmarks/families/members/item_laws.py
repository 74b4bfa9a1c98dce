"""An item law for families whose own mechanism is not an item law.

In: random numbers and the practice's level. Out: one of three item laws.
Never: the same one for every practice.
"""

from benchmarks.families.laws.assembly import ItemLaw
from benchmarks.families.laws.chance import Chance
from benchmarks.families.members.additive_noise import additive_noise
from benchmarks.families.members.general_factor import general_factor
from benchmarks.families.members.proportional_shortfall import proportional_shortfall


def any_items(chance: Chance, level: float) -> ItemLaw:
    """Proportional, additive or one factor, equally often."""
    choice = int(chance.integers(0, 3))
    if choice == 0:
        return proportional_shortfall(chance)
    return additive_noise(chance) if choice == 1 else general_factor(chance, level)
