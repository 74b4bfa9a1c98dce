"""Planted ruptures caught at equal false-alarm rates: the product, the rules used in the field, and a bound.

In: the practices of one regime. Out: a `Row`: shares caught at equal false-alarm rates; counts at the default setting.
Never: tune the product to a regime: one prior, one set of limits, one factor for the comparison at equal rates.

A *false flag* is one that opens in a case without a planted rupture, or before the onset of the one planted. A rupture
is *caught* when a flag opens at its onset session or at one of the three after it. Check-ins of the denominator: scored
client check-ins of cases without a rupture, and those before the onset.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from alliance.evaluation.baselines import RULES, FieldRule, Scored, flagged, references
from benchmarks.detection_bound import Bound, moments_of
from benchmarks.detection_default import AtDefault, at_default
from benchmarks.detection_practice import Practice, Regime

#: From the most flags to the fewest.
SENSITIVITIES = (0.4, 0.55, 0.7, 0.85, 1.0, 1.3, 1.7)
FALSE_ALARM_RATES = (1.0, 2.0, 3.0)
WITHIN_SESSIONS = 3

#: Case -> session numbers at which a flag opens.
Openings = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Tally:
    """The result of one rule at one limit."""

    false_per_100: float
    caught: Counter[str]
    delays: tuple[int, ...]

    @property
    def total(self) -> int:
        """Ruptures caught, of both kinds."""
        return sum(self.caught.values())


def tally(practices: Sequence[Practice], openings_of: Sequence[Openings]) -> Tally:
    """Count false flags and ruptures caught over several practices."""
    wrong = 0
    caught: Counter[str] = Counter()
    delays: list[int] = []
    for practice, openings in zip(practices, openings_of, strict=True):
        for case_id, sessions in openings.items():
            onset = practice.onset(case_id)
            wrong += sum(1 for number in sessions if number < onset)
            late = [number - onset for number in sessions if 0 <= number - onset <= WITHIN_SESSIONS]
            if late:
                caught[practice.truth[case_id]["kind"]] += 1
                delays.append(min(late))
    quiet = sum(practice.quiet_checkins for practice in practices)
    return Tally(100 * wrong / max(quiet, 1), caught, tuple(delays))


def openings_by_setting(
    cases: Iterable[str], settings: Iterable[float], opened: Callable[[str, float], Sequence[int]]
) -> list[Openings]:
    """Where flags open, for each setting from the most flags to the fewest.

    A case without a flag at one setting has none at all later ones: until the first flag nothing but the limits depends
    on the setting, so the case is not asked again.
    """
    left, found = list(cases), list[Openings]()
    for setting in settings:
        openings = {case_id: sessions for case_id in left if (sessions := opened(case_id, setting))}
        found.append(openings)
        left = list(openings)
    return found


def product_openings(practice: Practice) -> list[Openings]:
    """Those of the product at each sensitivity."""

    def opened(case_id: str, sensitivity: float) -> list[int]:
        return [flag.session_number for flag in practice.folded(case_id, sensitivity).episodes.by_flag_id.values()]

    return openings_by_setting(practice.items, SENSITIVITIES, opened)


def field_openings(rule: FieldRule, scores: Mapping[str, Sequence[Scored]]) -> list[Openings]:
    """One of the rules used in the field at each of its limits."""
    against = {case_id: references(rule, of_case) for case_id, of_case in scores.items()}

    def opened(case_id: str, limit: float) -> list[int]:
        return list(flagged(scores[case_id], against[case_id], limit))

    return openings_by_setting(scores, rule.limits, opened)


Curve = list[Tally]


def curve_of(practices: Sequence[Practice], openings: Iterable[Sequence[Openings]]) -> Curve:
    """A tally for each setting, from each practice's openings by setting."""
    return [tally(practices, at_setting) for at_setting in zip(*openings, strict=True)]


def field_curves(practices: Sequence[Practice]) -> tuple[dict[str, Curve], dict[str, Curve]]:
    """Each rule used in the field at all its limits, without and with the product's screen for reversed scales."""
    screened = [practice.screened() for practice in practices]
    changed = [
        {case_id: scores for case_id, scores in after.scores.items() if scores != before.scores[case_id]}
        for before, after in zip(practices, screened, strict=True)
    ]
    plain_curves, screened_curves = {}, {}
    for name, rule in RULES.items():
        plain = [field_openings(rule, practice.scores) for practice in practices]
        again = [
            _renewed(old, field_openings(rule, scores), scores) for old, scores in zip(plain, changed, strict=True)
        ]
        plain_curves[name], screened_curves[name] = curve_of(practices, plain), curve_of(screened, again)
    return plain_curves, screened_curves


def _renewed(old: Sequence[Openings], new: Sequence[Openings], cases: Iterable[str]) -> list[Openings]:
    """The new openings of these cases in place of the old ones, setting by setting."""
    gone = dict.fromkeys(cases, ())
    return [{**before, **gone, **after} for before, after in zip(old, new, strict=True)]


def _one_thread() -> AbstractContextManager[object]:
    """One thread: if another program is running, several wait for each other ten times as long as they work."""
    import_module("sklearn.ensemble")  # only threads of what is loaded can be limited
    return cast(AbstractContextManager[object], import_module("threadpoolctl").threadpool_limits(1))


def bound_curve(practices: Sequence[Practice]) -> Curve:
    """A classifier trained on the truth of the other seeds, with the product's lifecycle."""
    prepared = [moments_of(practice.items, practice.truth, practice.models, WITHIN_SESSIONS) for practice in practices]
    with _one_thread():
        bounds = [
            Bound.trained([rows for other, rows in enumerate(prepared) if other != index])
            for index in range(len(prepared))
        ]
        judged = [bound.judged(rows) for bound, rows in zip(bounds, prepared, strict=True)]
    return [tally(practices, [rows.openings(limit) for rows in judged]) for limit in Bound.limits(judged)]


def caught_at(curve: Sequence[Tally], rate: float, kind: str | None = None) -> float:
    """Ruptures caught at this many false flags per 100 check-ins: the best setting within it, or between two."""
    points = [(at.false_per_100, float(at.total if kind is None else at.caught[kind])) for at in curve]
    within = [point for point in points if point[0] <= rate]
    above = sorted(point for point in points if point[0] > rate)
    best = max((caught for _, caught in within), default=0.0)
    if not above:
        return best
    low, high = max(within, default=(0.0, 0.0)), above[0]
    return max(best, low[1] + (high[1] - low[1]) * (rate - low[0]) / (high[0] - low[0]))


@dataclass(slots=True)
class Row:
    """The result of one regime: shares of the planted ruptures, by false-alarm rate."""

    regime: Regime
    planted: Counter[str]
    product: list[float]
    best: list[float]
    best_name: list[str]
    screened: list[float]
    bound: list[float]
    product_withdrawal: list[float]
    best_withdrawal: list[float]
    product_confrontation: list[float]
    best_confrontation: list[float]
    field: dict[str, list[float]]
    default: Tally
    at_default: AtDefault

    def ratio(self, index: int) -> float:
        """The product over the best rule used in the field."""
        return self.product[index] / max(self.best[index], 1e-9)

    def withdrawal_ratio(self, index: int) -> float:
        """The same for withdrawal ruptures."""
        return self.product_withdrawal[index] / max(self.best_withdrawal[index], 1e-9)


def measure(regime: Regime, practices: Sequence[Practice], has_bound: bool) -> Row:
    """One regime, all seeds."""
    product = curve_of(practices, [product_openings(practice) for practice in practices])
    rules, screened = field_curves(practices)
    bound = bound_curve(practices) if has_bound else []
    planted = Counter[str](row["kind"] for practice in practices for row in practice.truth.values())

    def shares(curve: Curve, kind: str | None = None) -> list[float]:
        every = sum(planted.values()) if kind is None else planted[kind]
        return [caught_at(curve, rate, kind) / every for rate in FALSE_ALARM_RATES]

    def best_of(curves: Mapping[str, Curve], kind: str | None = None) -> list[tuple[float, str]]:
        of_rules = [[(share, name) for share in shares(curve, kind)] for name, curve in curves.items()]
        return [max(at_rate) for at_rate in zip(*of_rules, strict=True)]

    best = best_of(rules)
    return Row(
        regime=regime,
        planted=planted,
        product=shares(product),
        best=[share for share, _ in best],
        best_name=[name for _, name in best],
        screened=[share for share, _ in best_of(screened)],
        bound=shares(bound) if bound else [],
        product_withdrawal=shares(product, "withdrawal"),
        best_withdrawal=[share for share, _ in best_of(rules, "withdrawal")],
        product_confrontation=shares(product, "confrontation"),
        best_confrontation=[share for share, _ in best_of(rules, "confrontation")],
        field={name: shares(curve) for name, curve in rules.items()},
        default=product[SENSITIVITIES.index(1.0)],
        at_default=at_default(practices, WITHIN_SESSIONS),
    )
