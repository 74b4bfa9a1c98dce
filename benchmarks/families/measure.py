"""Measures detectors in practices of families: the product at its own limit, the field's rules, candidates.

In: a family, sizes and seeds. Out: a `Row` for each family.
Never: a number chosen here; the history and the judged part are different cases of the same practice.

The product is measured at its own limit, and the field's rules at the same number of false flags. All are measured at
equal prices too. Each of the field's rules is tuned to each practice; then the best rule of the family is taken.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from pathlib import Path

from alliance.evaluation.baselines import RULES
from benchmarks.detection_measure import Openings, Tally, field_openings
from benchmarks.families.candidate import CandidateFor, candidate_openings
from benchmarks.families.case import Case, Family
from benchmarks.families.events import write_practice
from benchmarks.families.judge import Counts, counts_at, counts_of, planted, quiet_checkins, tally
from benchmarks.families.product import ProductResult, product_result

PRICES = (1.0, 2.0, 3.0)
#: If a detector catches a smaller share than this, a ratio to it is taken to this share: chance decides down there.
LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Sizes:
    """Client check-ins of the history and of the judged part."""

    history: int
    judged: int


@dataclass(slots=True)
class Row:
    """One family: counts of ruptures, added up over its practices."""

    family: str
    group: str
    planted: Counts = field(default_factory=Counts)
    practices: int = 0
    calibrated: int = 0
    #: Check-ins of cases without a rupture, and the product's flags in these cases.
    quiet: int = 0
    false: float = 0.0
    #: False flags per 100 check-ins in the practice that has the most.
    most_false_per_100: float = 0.0
    at_own_limit: Counts = field(default_factory=Counts)
    #: By rule: caught at as many false flags as the product raises at its own limit, in each practice.
    field_at_own_limit: dict[str, Counts] = field(default_factory=dict)
    #: By price, at equal prices.
    product: dict[float, Counts] = field(default_factory=dict)
    candidate: dict[float, Counts] = field(default_factory=dict)
    field_rules: dict[str, dict[float, Counts]] = field(default_factory=dict)

    @property
    def false_per_100(self) -> float:
        """The product's false flags per 100 check-ins at its own limit."""
        return 100 * self.false / max(self.quiet, 1)

    def best_at_own_limit(self) -> tuple[Counts, str]:
        """What the best of the field's rules catches at the product's own number of false flags, and its name."""
        return best(self.field_at_own_limit)

    def best_at(self, price: float) -> tuple[Counts, str]:
        """What the best of the field's rules catches at a price, and its name."""
        return best({name: at_prices[price] for name, at_prices in self.field_rules.items()})


def best(by_rule: Mapping[str, Counts]) -> tuple[Counts, str]:
    """The greatest counts, for each kind by the rule that is best for it, and the name of the rule for both kinds."""
    name = max(by_rule, key=lambda rule: by_rule[rule].both)
    return Counts(by_rule[name].both, max(counts.withdrawal for counts in by_rule.values())), name


def ratio(caught: Counts, of_field: Counts, planted_ruptures: Counts) -> Counts:
    """Shares caught, over those of the field."""
    ours, theirs = caught.share(planted_ruptures), of_field.share(planted_ruptures)
    return Counts(
        max(ours.both, LEAST_SHARE) / max(theirs.both, LEAST_SHARE),
        max(ours.withdrawal, LEAST_SHARE) / max(theirs.withdrawal, LEAST_SHARE),
    )


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean that says that half as much and twice as much cancel out."""
    return exp(sum(log(value) for value in ratios) / len(ratios))


def split(cases: Sequence[Case], sizes: Sizes) -> tuple[list[Case], list[Case]]:
    """The cases in turn to the history or to the judged part, to the one that is further from its size."""
    history, judged = list[Case](), list[Case]()
    counts = [0, 0]
    for case in cases:
        is_judged = counts[1] * sizes.history < counts[0] * sizes.judged
        counts[is_judged] += len(case.client)
        (judged if is_judged else history).append(case)
    return history, judged


def measure(
    family: Family, seeds: Iterable[int], sizes: Sizes, folder: Path, candidate_for: CandidateFor | None = None
) -> Row:
    """One family: a practice for each seed, written below `folder`."""
    row = Row(family.name, family.group)
    for seed in seeds:
        history, judged = split(family.practice(seed, sizes.history + sizes.judged), sizes)
        place = folder / family.name / str(seed)
        write_practice(history, place / "history")
        write_practice(judged, place / "judged")
        _add_product(row, judged, product_result(place / "history", place / "judged"))
        if candidate_for is not None:
            openings = candidate_openings(candidate_for(family.group), history, judged)
            _add_at_prices(row.candidate, _curve(judged, openings))
    return row


def _add_product(row: Row, judged: Sequence[Case], product: ProductResult) -> None:
    at_own_limit, quiet = tally(judged, product.at_own_limit), quiet_checkins(judged)
    row.planted += planted(judged)
    row.practices += 1
    row.calibrated += product.is_calibrated
    row.quiet += quiet
    row.false += at_own_limit.false_per_100 * quiet / 100
    row.most_false_per_100 = max(row.most_false_per_100, at_own_limit.false_per_100)
    row.at_own_limit += counts_of(at_own_limit)
    _add_at_prices(row.product, _curve(judged, product.at_sensitivities))
    for name, rule in RULES.items():
        curve = _curve(judged, field_openings(rule, product.scores))
        at_same = counts_at(curve, at_own_limit.false_per_100)
        row.field_at_own_limit[name] = row.field_at_own_limit.get(name, Counts()) + at_same
        _add_at_prices(row.field_rules.setdefault(name, {}), curve)


def _curve(cases: Sequence[Case], openings: Iterable[Openings]) -> list[Tally]:
    return [tally(cases, at_setting) for at_setting in openings]


def _add_at_prices(counts: dict[float, Counts], curve: Sequence[Tally]) -> None:
    for price in PRICES:
        counts[price] = counts.get(price, Counts()) + counts_at(curve, price)
