"""Family: forms are missing in spells, and therapists differ much in how many forms they collect.

In: a course. Out: which forms are missing.
Never: a spell that has to do with the standing.

After a missing form the next is far more likely to be missing (1 to 3 added to the log-odds). For some clients and
some therapists whole months without a form are usual.
"""

from benchmarks.families.laws.assembly import Laws, family
from benchmarks.families.laws.chance import Chance, between
from benchmarks.families.laws.nonresponse import Nonresponse
from benchmarks.families.laws.ordinary import ordinary_laws
from benchmarks.families.laws.people import climate
from benchmarks.families.members.item_laws import any_items

SHARE, SPELL = (0.12, 0.45), (1.0, 3.0)
THERAPISTS_SD, CLIENTS_SD = (0.4, 1.2), (0.2, 1.0)
MISSED = (0.03, 0.2)


def laws(chance: Chance) -> Laws:
    """One practice of this family."""
    people = climate(chance)
    gaps = Nonresponse(
        share=between(chance, *SHARE),
        therapists_sd=between(chance, *THERAPISTS_SD),
        clients_sd=between(chance, *CLIENTS_SD),
        spell=between(chance, *SPELL),
        missed_share=between(chance, *MISSED),
    )
    return ordinary_laws(chance, any_items(chance, people.mean), people=people, gaps=gaps)


FAMILY = family("spells-of-nonresponse", "nonresponse", laws)
