"""Every family, by name.

In: one module for each family. Out: `FAMILIES`, `GROUPS`.
Never: two families of one name. A group is a set of families that are left out together when numbers are chosen.
"""

from benchmarks.families.case import Family
from benchmarks.families.members import (
    additive_noise,
    frozen_stretches,
    general_factor,
    good_and_bad_spells,
    graded_response,
    growing_offsets,
    heavy_tails,
    independent_items,
    mean_reverting,
    mixed_people,
    nonresponse_after_low,
    proportional_shortfall,
    resampled_people,
    response_styles,
    seasonal_and_steps,
    spells_of_nonresponse,
    spread_with_distance,
    top_unless_troubled,
    uneven_days,
)

_MODULES = (
    proportional_shortfall,
    growing_offsets,
    additive_noise,
    uneven_days,
    graded_response,
    top_unless_troubled,
    general_factor,
    independent_items,
    response_styles,
    frozen_stretches,
    mean_reverting,
    seasonal_and_steps,
    good_and_bad_spells,
    spells_of_nonresponse,
    nonresponse_after_low,
    heavy_tails,
    spread_with_distance,
    resampled_people,
    mixed_people,
)

FAMILIES: dict[str, Family] = {module.FAMILY.name: module.FAMILY for module in _MODULES}
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(family.group for family in FAMILIES.values()))
