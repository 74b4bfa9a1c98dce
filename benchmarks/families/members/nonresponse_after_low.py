"""Family: clients who feel worse hand in fewer forms, and near the end of a case the forms stop.

In: a course. Out: which forms are missing.
Never: forms missing by chance alone.

Missing not at random: each own SD below the client's level adds to the log-odds of a missing form, so the lowest
sessions are seen least. In the last three sessions of a case forms are missing more often, with or without a rupture.
"""

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Chance, between
from benchmarks.families.laws.nonresponse import Nonresponse
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import climate
from benchmarks.families.members.item_laws import any_items

SHARE, AFTER_LOW, NEAR_END = (0.08, 0.35), (0.3, 1.2), (0.3, 1.5)
THERAPISTS_SD, CLIENTS_SD = (0.1, 0.8), (0.2, 1.2)
MISSED = (0.03, 0.2)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    people = climate(chance)
    gaps = Nonresponse(
        share=between(chance, *SHARE),
        therapists_sd=between(chance, *THERAPISTS_SD),
        clients_sd=between(chance, *CLIENTS_SD),
        after_low=between(chance, *AFTER_LOW),
        near_end=between(chance, *NEAR_END),
        missed_share=between(chance, *MISSED),
    )
    return ordinary_laws(chance, any_items(chance, people.mean), people=people, gaps=gaps)


FAMILY = family("nonresponse-after-low", "nonresponse", laws)
