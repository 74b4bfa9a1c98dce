"""What an instrument definition says, and what it becomes once it has been checked.

In: one TOML file. Out: `Definition`, the file as a structure, and `Instrument`, the same with the tables for scoring.
Never: licensed wording; a definition of a restricted instrument names its items by number or a neutral name.

A raw total is the sum over all items, each between `minimum` and `maximum`, after reversal.
"""

from typing import Literal

from msgspec import Struct, field

Ingredient = Literal["trust", "empathy", "goals", "communication"]
INGREDIENTS: tuple[Ingredient, ...] = ("trust", "empathy", "goals", "communication")
LICENCES = ("open", "restricted")


class Item(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One question; its wording is there only if the licence is open."""

    id: str
    ingredients: tuple[str, ...]
    reversed: bool = False
    client: str | None = None
    therapist: str | None = None


class MissingItems(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """How many items must be answered; an ingredient that is not named needs all of its items."""

    total_at_least: int
    total_needs_every_ingredient: bool = False
    ingredient_at_least: dict[str, int] = field(default_factory=dict)


class Cutoff(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A raw total strictly below `below` is below the cut-off; `below` itself is not."""

    below: float
    source: str


class StandardError(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The standard error of measurement of one raw total."""

    raw: float
    source: str


class Licence(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Status `open`: wording may be in the file. `restricted`: the holder's permission is needed, so none may be."""

    status: str
    notice: str


class Anchors(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What the two ends of the scale say, if the licence is open."""

    lowest: str
    highest: str


class Vector(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A worked example; without a `total` the missing-item rule must give none."""

    name: str
    answers: dict[str, float]
    total: float | None = None
    ingredients: dict[str, float] = field(default_factory=dict)


class Definition(Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """One TOML file, as written."""

    id: str
    name: str
    minimum: float
    maximum: float
    decimals: int
    validated: bool
    licence: Licence
    items: tuple[Item, ...]
    missing: MissingItems
    anchors: Anchors | None = None
    cutoff: Cutoff | None = None
    standard_error: StandardError | None = None
    vectors: tuple[Vector, ...] = ()


class IngredientRule(Struct, frozen=True, gc=False):
    """Which items make an ingredient, and how many of them must be answered."""

    ingredient: str
    items: tuple[str, ...]
    at_least: int


class Instrument(Definition, frozen=True, gc=False, kw_only=True):
    """A definition ready for scoring; made by `schemas.instruments.arithmetic.prepare` only.

    `steps` gives, for each item and each answer it allows, how many smallest steps that is above the item's
    worst answer (reversal applied); `span` is the step of the best answer. The two shares are of the
    instrument's range, 0 to 1, and compare directly with a score.
    """

    steps: dict[str, dict[float, int]]
    span: int
    ingredient_rules: tuple[IngredientRule, ...]
    cutoff_share: float | None
    standard_error_share: float | None
