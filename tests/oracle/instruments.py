"""Instruments, read from their TOML files and nothing else.

In: TOML definitions; one check-in's answers. Out: whether the answers are the instrument's, and their scores.
Never: the tables or the arithmetic that the pipeline uses; here a score is a mean of exact fractions.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor, pow
from pathlib import Path
from typing import Any

from tests.oracle.levels import Resolution

INGREDIENTS = ("trust", "empathy", "goals", "communication")
SHIPPED = Path(__file__).parents[2] / "schemas" / "instruments"
MILLION = 1_000_000
HUNDREDTH = Fraction(1, 100)

Answers = Mapping[str, float | None]


@dataclass(frozen=True)
class Scores:
    """Shares of the range, 0-1, to six decimals. With too few answers there is no total or ingredient."""

    total: float | None
    ingredients: dict[str, float]


@dataclass(frozen=True)
class Instrument:
    """One definition."""

    definition: Mapping[str, Any]

    def problem(self, answers: Answers) -> str | None:
        """The reason to refuse these answers: first whether every item is known, then every answer."""
        known = {item["id"] for item in self.definition["items"]}
        if not known.issuperset(answers):
            return "unknown-item"
        given = [Decimal(repr(answer)) for answer in answers.values() if answer is not None]
        return None if all(self._allows(answer) for answer in given) else "answer-out-of-range"

    def _allows(self, answer: Decimal) -> bool:
        low, high = Decimal(str(self.definition["minimum"])), Decimal(str(self.definition["maximum"]))
        return low <= answer <= high and round(answer, self.definition["decimals"]) == answer

    def scores(self, answers: Answers) -> Scores:
        """The means of the answered items."""
        shares = {
            item["id"]: self._share(item, answer)
            for item in self.definition["items"]
            if (answer := answers.get(item["id"])) is not None
        }
        ingredients = {
            name: _mean(found)
            for name in self._ingredients()
            if len(found := [shares[item] for item in self._items_of(name) if item in shares]) >= self._at_least(name)
        }
        missing = self.definition["missing"]
        complete = len(ingredients) == len(self._ingredients()) or not missing.get("total_needs_every_ingredient")
        enough = len(shares) >= missing["total_at_least"]
        return Scores(_mean(list(shares.values())) if enough and complete else None, ingredients)

    def _share(self, item: Mapping[str, Any], answer: float) -> Fraction:
        low, high = Fraction(str(self.definition["minimum"])), Fraction(str(self.definition["maximum"]))
        share = (Fraction(repr(answer)) - low) / (high - low)
        return 1 - share if item.get("reversed") else share

    def _items_of(self, ingredient: str) -> list[str]:
        return [item["id"] for item in self.definition["items"] if ingredient in item["ingredients"]]

    def _ingredients(self) -> list[str]:
        return [name for name in INGREDIENTS if self._items_of(name)]

    def _at_least(self, ingredient: str) -> int:
        named: Mapping[str, int] = self.definition["missing"].get("ingredient_at_least", {})
        return named.get(ingredient, len(self._items_of(ingredient)))

    @property
    def cutoff(self) -> float | None:
        """The cut-off as a share of the raw range."""
        if "cutoff" not in self.definition:
            return None
        lowest = len(self.definition["items"]) * self.definition["minimum"]
        return round(float(self.definition["cutoff"]["below"] - lowest) / self._raw_range, 6)

    @property
    def standard_error(self) -> float | None:
        """The standard error of measurement as a share of the raw range."""
        if "standard_error" not in self.definition:
            return None
        return round(float(self.definition["standard_error"]["raw"]) / self._raw_range, 6)

    @property
    def resolution(self) -> Resolution:
        """Standard error, rounding and edge, as the levels want them."""
        error = Resolution.error if self.standard_error is None else self.standard_error
        rounding = self._beyond_hundredths**2 / (12 * len(self.definition["items"]))
        return Resolution(error, float(rounding), float(1 - self._beyond_hundredths / 2))

    @property
    def answer_step(self) -> float:
        """The smallest loss of an ingredient that means anything."""
        fewest = min(len(self._items_of(name)) for name in self._ingredients())
        return float(max(HUNDREDTH, self.step / fewest))

    @property
    def invariant_share(self) -> float:
        """How often answers are invariant by chance (`s₀`)."""
        return min(0.2, 0.003 * pow(max(Fraction(1), self.step / HUNDREDTH), 1.7))

    @property
    def step(self) -> Fraction:
        """The smallest step of an answer, as a share of the range."""
        low, high = Fraction(str(self.definition["minimum"])), Fraction(str(self.definition["maximum"]))
        return Fraction(1, 10 ** self.definition["decimals"]) / (high - low)

    @property
    def _beyond_hundredths(self) -> Fraction:
        return max(Fraction(0), self.step - HUNDREDTH)

    @property
    def _raw_range(self) -> float:
        return float(len(self.definition["items"]) * (self.definition["maximum"] - self.definition["minimum"]))


def _mean(shares: list[Fraction]) -> float:
    mean = sum(shares, Fraction()) / len(shares)
    return floor(mean * MILLION + Fraction(1, 2)) / MILLION


def load(folders: Iterable[Path] = (SHIPPED,)) -> dict[str, Instrument]:
    """The instruments of these folders, by id."""
    files = [file for folder in folders for file in sorted(folder.glob("*.toml"))]
    definitions = [tomllib.loads(file.read_text(encoding="utf-8")) for file in files]
    return {str(definition["id"]): Instrument(definition) for definition in definitions}
