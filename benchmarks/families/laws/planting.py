"""Ruptures planted in cases: when, which kind and shape, how deep and for how long.

In: a practice's planting and the sessions of a case. Out: a `Strain`, what the rupture does to each session.
Never: an answer. It says how far an item falls, in SDs of the client's own sessions, not what the form then shows.

Shapes: `abrupt` (one item falls a little more than the others), `slow` (grows over three to six sessions),
`some-items` (one or two items only), `even` (all items alike), `form-only` (flat or perfect forms and no fall) and
`nonresponse-only` (forms and appointments are missed, and no fall). The last two are withdrawals. A withdrawal shows
only part of its depth; it also makes flat forms and missing forms more likely. The onset may be at any session in the
log, also at the first and the last.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.families.case import Kind, Rupture
from benchmarks.families.laws.chance import Array, Chance, Flags, between, happens

SHAPES = ("abrupt", "slow", "some-items", "even")
SHAPE_SHARES = (0.35, 0.25, 0.20, 0.20)
FORM_ONLY, NONRESPONSE_ONLY = "form-only", "nonresponse-only"
#: Cases with fewer sessions in the log have none.
FEWEST_SESSIONS = 4
#: Share of ruptures that begin in the first two sessions, and share that last three sessions at most.
EARLY_SHARE, BRIEF_SHARE = 0.15, 0.35
EARLY_SESSIONS = 2
DEPTH = (1.5, 4.5)


@dataclass(frozen=True, slots=True)
class Planting:
    """How ruptures look in one practice."""

    #: Share of the cases with enough sessions in the log.
    prevalence: float
    withdrawal_share: float
    #: In a withdrawal: the part of the depth that shows, and the share of flat forms.
    visible: float
    flat_share: float
    #: Share of withdrawals that show in stiff forms only, and share that show in missing forms only.
    form_only_share: float
    nonresponse_only_share: float
    #: In a withdrawal, the odds of a missing form or appointment are this many times the usual ones.
    missing_odds: float
    noticed_share: float


@dataclass(frozen=True, slots=True)
class Strain:
    """What a rupture does to each session in the log; 0 everywhere if none is planted."""

    rupture: Rupture | None
    #: (sessions, 4): how far each item falls, in own SDs.
    fall: Array
    withdrawn: Flags
    flat_share: float
    missing_odds: float


def planting(chance: Chance) -> Planting:
    """One practice's ruptures; drawn again for each practice."""
    return Planting(
        prevalence=between(chance, 0.08, 0.50),
        withdrawal_share=between(chance, 0.35, 0.65),
        visible=between(chance, 0.2, 0.8),
        flat_share=between(chance, 0.0, 0.8),
        form_only_share=between(chance, 0.05, 0.2),
        nonresponse_only_share=between(chance, 0.05, 0.2),
        missing_odds=between(chance, 1.5, 6.0),
        noticed_share=between(chance, 0.3, 0.9),
    )


def no_strain(sessions: int) -> Strain:
    """A case in which nothing is planted."""
    return Strain(None, np.zeros((sessions, 4)), np.zeros(sessions, dtype=bool), 0.0, 1.0)


def plant(law: Planting, sessions: int, chance: Chance) -> Strain:
    """A rupture, or none, somewhere in these sessions."""
    if sessions < FEWEST_SESSIONS or not happens(chance, law.prevalence):
        return no_strain(sessions)
    kind: Kind = "withdrawal" if happens(chance, law.withdrawal_share) else "confrontation"
    shape = _shape(law, kind, chance)
    rupture = Rupture(
        onset=_onset(sessions, chance),
        kind=kind,
        shape=shape,
        depth=0.0 if shape in (FORM_ONLY, NONRESPONSE_ONLY) else round(between(chance, *DEPTH), 2),
        lasts=_lasts(shape, chance),
        noticed=happens(chance, law.noticed_share),
    )
    growth = int(chance.integers(3, 7)) if shape == "slow" else 1
    grown = _grown(rupture, sessions, growth)
    shown = law.visible if kind == "withdrawal" else 1.0
    fall = shown * rupture.depth * grown[:, None] * _items(shape, chance)
    return Strain(
        rupture,
        fall,
        (grown > 0) & (kind == "withdrawal"),
        0.0 if shape == NONRESPONSE_ONLY else max(law.flat_share, 0.5) if shape == FORM_ONLY else law.flat_share,
        1.0 if shape == FORM_ONLY else max(law.missing_odds, 6.0) if shape == NONRESPONSE_ONLY else law.missing_odds,
    )


def _shape(law: Planting, kind: Kind, chance: Chance) -> str:
    ordinary = str(chance.choice(SHAPES, p=SHAPE_SHARES))
    draw = float(chance.random())
    if kind == "confrontation" or draw >= law.form_only_share + law.nonresponse_only_share:
        return ordinary
    return FORM_ONLY if draw < law.form_only_share else NONRESPONSE_ONLY


def _onset(sessions: int, chance: Chance) -> int:
    if happens(chance, EARLY_SHARE):
        return int(chance.integers(1, EARLY_SESSIONS + 1))
    return int(chance.integers(EARLY_SESSIONS + 1, sessions + 1))


def _lasts(shape: str, chance: Chance) -> int:
    """Brief or lasting; ruptures that grow slowly or show in missing forms alone are never brief."""
    is_brief = happens(chance, BRIEF_SHARE) and shape not in ("slow", NONRESPONSE_ONLY)
    return int(chance.integers(1, 4)) if is_brief else int(chance.integers(4, 21))


def _grown(rupture: Rupture, sessions: int, growth: int) -> Array:
    """The share of the depth reached at each session, 0-1."""
    since = np.arange(1, sessions + 1) - rupture.onset
    is_on = (since >= 0) & (since < rupture.lasts)
    return np.where(is_on, np.minimum((since + 1) / growth, 1.0), 0.0)


def _items(shape: str, chance: Chance) -> Array:
    """How the fall is shared out over the four items; 1 for each means that the total falls by the whole depth."""
    order = chance.permutation(4)
    how_many = 1 + int(chance.integers(0, 2))
    items = np.ones(4)
    if shape == "some-items":
        items[:] = 0.0
        items[order[:how_many]] = 2.0 / how_many**0.5
    elif shape in ("abrupt", "slow"):
        items[:] = 0.8
        items[order[0]] = 1.6
    return items
