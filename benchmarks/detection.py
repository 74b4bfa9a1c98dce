"""How many planted ruptures are caught at the price of how many false flags: ours, the field's rules, and a bound.

In: seeds and a grid of simulated practices (ceiling x depth x autocorrelation x missing forms). Out: a table on stdout
and, with --write, docs/benchmarks/detection.md.
Never: a tuning of ours to a regime: one prior, one set of limits, one knob for the comparison at equal false flags.

A *false flag* is one that opens in a case without a planted rupture, or before the onset of the one planted. A rupture
is *caught* when a flag opens at its onset session or at one of the three after it. Check-ins of the denominator: scored
client check-ins of cases without a rupture, and those before the onset.
"""

import argparse
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Literal, cast

import msgspec

from benchmarks.detection_bound import Bound, moments_of
from pipeline.backtest import calibration_cases, histories_of, scored
from pipeline.baselines import RULES, Lines, Scored, flagged, references
from pipeline.core.acceptance import Accepted
from pipeline.core.calibration import calibrate
from pipeline.core.course import Course, Item, effective
from pipeline.core.detectors import DETECTORS, EXPECTED_FALSE_FLAGS_PER_100
from pipeline.core.instants import to_us
from pipeline.core.prior import DEFAULT_PRIOR, Prior, yardsticks_of
from pipeline.core.records import record_of
from pipeline.core.scoring import score
from pipeline.simulation.practice import PracticeParameters, simulate
from schemas.events import CheckinSubmitted, Event
from schemas.flags import KINDS
from schemas.instruments.registry import load_instruments

CEILINGS = ("base", "low", "heavy")
DEPTHS = (1.5, 2.5, 4.0)
AUTOCORRELATIONS = (0.0, 0.3, 0.45)
MISSINGNESS = ("random", "informative")
SENSITIVITIES = (0.4, 0.55, 0.7, 0.85, 1.0, 1.3, 1.7)
PRICES = (1.0, 2.0, 3.0)
WITHIN_SESSIONS = 3
NEVER = 10**9
CALIBRATION_SEED = 99
INSTRUMENTS = load_instruments(None)
YARDSTICKS = yardsticks_of(INSTRUMENTS)
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "detection.md"

Regime = tuple[str, float, float, str]
#: Case -> session numbers at which a flag opens.
Openings = Mapping[str, Sequence[int]]


@dataclass(slots=True)
class Practice:
    """One simulated practice: the effective history of each case, its scores, and the truth."""

    items: dict[str, list[Item]] = field(default_factory=dict)
    scores: dict[str, list[Scored]] = field(default_factory=dict)
    truth: dict[str, dict[str, Any]] = field(default_factory=dict)

    def onset(self, case_id: str) -> int:
        """Session number of the onset, or never."""
        row = self.truth.get(case_id)
        return NEVER if row is None else int(row["onset_session"])

    @property
    def quiet_checkins(self) -> int:
        """The denominator of the false flags."""
        return sum(1 for one, scores in self.scores.items() for number, _ in scores if number < self.onset(one))

    def with_screen(self) -> "Practice":
        """Without the forms that ours takes for filled in from right to left."""
        kept = {}
        for case_id, items in self.items.items():
            points = _folded(items, 1.0, ()).history.points
            kept[case_id] = [(one.session_number, one.score) for one in points if not one.is_mirrored]
        return Practice(self.items, kept, self.truth)


@dataclass(frozen=True, slots=True)
class Tally:
    """What one rule at one limit brought."""

    false_per_100: float
    caught: Counter[str]
    delays: tuple[int, ...]

    @property
    def total(self) -> int:
        """Ruptures caught, of both kinds."""
        return sum(self.caught.values())


def practice(regime: Regime, seed: int, therapists: int, weeks: int, **more: Any) -> Practice:
    """Simulate one practice and prepare its cases."""
    ceiling, depth, autocorrelation, missingness = regime
    made = simulate(
        PracticeParameters(
            first_day=datetime(2026, 1, 5, tzinfo=UTC),
            seed=seed,
            therapists=therapists,
            weeks=weeks,
            ceiling=cast(Literal["base", "low", "heavy"], ceiling),
            rupture_depths=(depth,),
            autocorrelation=autocorrelation,
            missingness=cast(Literal["random", "informative"], missingness),
            **more,
        )
    )
    records: dict[str, list[Any]] = {}
    for event in made.events:
        accepted = _accepted(event)
        records.setdefault(accepted.event.subject, []).append(record_of(accepted))
    return Practice(
        items={one: effective(of_case) for one, of_case in records.items()},
        scores={one: scored(of_case) for one, of_case in records.items()},
        truth={row["case_id"]: row for row in made.truth},
    )


def _accepted(raw: dict[str, Any]) -> Accepted:
    event = msgspec.convert(raw, cast(Any, Event))
    scores = None
    if isinstance(event, CheckinSubmitted):
        scores = score(INSTRUMENTS[event.data.instrument], event.data.answers)
    return Accepted(event, to_us(event.time), scores)


def _folded(items: Iterable[Item], sensitivity: float, detectors: Any = DETECTORS) -> Course:
    course = Course("c", YARDSTICKS, detectors=detectors, sensitivity=sensitivity)
    for at, record in items:
        course.advance(at, record)
    return course


def tally(practices: Sequence[tuple[Practice, Openings]]) -> Tally:
    """Count false flags and ruptures caught over several practices."""
    wrong = quiet = 0
    caught: Counter[str] = Counter()
    delays: list[int] = []
    for one, openings in practices:
        quiet += one.quiet_checkins
        for case_id, sessions in openings.items():
            onset = one.onset(case_id)
            wrong += sum(1 for number in sessions if number < onset)
            late = [number - onset for number in sessions if 0 <= number - onset <= WITHIN_SESSIONS]
            if late:
                caught[one.truth[case_id]["kind"]] += 1
                delays.append(min(late))
    return Tally(100 * wrong / max(quiet, 1), caught, tuple(delays))


def ours(one: Practice, sensitivity: float) -> tuple[Openings, Counter[str]]:
    """Where ours opens flags, and the kinds of the false ones."""
    openings: dict[str, list[int]] = {}
    false_kinds: Counter[str] = Counter()
    for case_id, items in one.items.items():
        lives = _folded(items, sensitivity).lives.values()
        openings[case_id] = [life.session_number for life in lives]
        onset = one.onset(case_id)
        false_kinds.update(life.signal.kind for life in lives if life.session_number < onset)
    return openings, false_kinds


def field_curves(practices: Sequence[Practice]) -> dict[str, list[Tally]]:
    """Each of the field's rules at all its limits."""
    curves = {}
    for name, rule in RULES.items():
        held = [{case: references(rule, scores) for case, scores in one.scores.items()} for one in practices]
        curves[name] = [
            tally([(one, _flagged(one, against, limit)) for one, against in zip(practices, held, strict=True)])
            for limit in rule.limits
        ]
    return curves


def _flagged(one: Practice, against: Mapping[str, list[Lines]], limit: float) -> Openings:
    return {case: list(flagged(scores, against[case], limit)) for case, scores in one.scores.items()}


def caught_at(curve: Sequence[Tally], price: float, kind: str | None = None) -> float:
    """Ruptures caught at this many false flags per 100 check-ins: the best setting within it, or between two."""
    points = [(one.false_per_100, float(one.total if kind is None else one.caught[kind])) for one in curve]
    within = [point for point in points if point[0] <= price]
    above = sorted(point for point in points if point[0] > price)
    best = max((caught for _, caught in within), default=0.0)
    if not above:
        return best
    low, high = max(within, default=(0.0, 0.0)), above[0]
    return max(best, low[1] + (high[1] - low[1]) * (price - low[0]) / (high[0] - low[0]))


@dataclass(slots=True)
class Row:
    """What one regime showed. Shares of the planted ruptures, by price."""

    regime: Regime
    planted: Counter[str]
    ours: list[float]
    best: list[float]
    best_name: list[str]
    screened: list[float]
    bound: list[float]
    ours_withdrawal: list[float]
    best_withdrawal: list[float]
    ours_confrontation: list[float]
    best_confrontation: list[float]
    default: Tally
    default_kinds: Counter[str]
    quiet: int
    field: dict[str, list[float]]

    def ratio(self, price: int) -> float:
        """Ours over the best of the field's rules."""
        return self.ours[price] / max(self.best[price], 1e-9)

    def withdrawal_ratio(self, price: int) -> float:
        """The same for withdrawal ruptures."""
        return self.ours_withdrawal[price] / max(self.best_withdrawal[price], 1e-9)


def measure(regime: Regime, seeds: Sequence[int], therapists: int, weeks: int, has_bound: bool, **more: Any) -> Row:
    """One regime, all seeds."""
    practices = [practice(regime, seed, therapists, weeks, **more) for seed in seeds]
    planted = Counter(row["kind"] for one in practices for row in one.truth.values())
    curve, default_kinds = [], Counter[str]()
    for sensitivity in SENSITIVITIES:
        runs = [ours(one, sensitivity) for one in practices]
        curve.append(tally([(one, run[0]) for one, run in zip(practices, runs, strict=True)]))
        if sensitivity == 1.0:
            default_kinds = sum((run[1] for run in runs), Counter())
    rules = field_curves(practices)
    screened = field_curves([one.with_screen() for one in practices])
    bound = bound_curve(practices) if has_bound else []
    return _row(regime, planted, curve, default_kinds, rules, screened, bound, practices)


def bound_curve(practices: Sequence[Practice]) -> list[Tally]:
    """A classifier trained on the truth of the other seeds, with our lifecycle."""
    prepared = [moments_of(one.items, one.truth, YARDSTICKS, WITHIN_SESSIONS) for one in practices]
    bounds = [
        Bound.trained([rows for other, rows in enumerate(prepared) if other != index]) for index in range(len(prepared))
    ]
    judged = [bound.judged(rows) for bound, rows in zip(bounds, prepared, strict=True)]
    return [
        tally([(one, rows.openings(limit)) for one, rows in zip(practices, judged, strict=True)])
        for limit in Bound.limits(judged)
    ]


def _row(
    regime: Regime,
    planted: Counter[str],
    curve: list[Tally],
    default_kinds: Counter[str],
    rules: dict[str, list[Tally]],
    screened: dict[str, list[Tally]],
    bound: list[Tally],
    practices: Sequence[Practice],
) -> Row:
    every, away, against = sum(planted.values()), planted["withdrawal"], planted["confrontation"]
    best = [max((caught_at(one, price), name) for name, one in rules.items()) for price in PRICES]

    def best_of(curves: Mapping[str, list[Tally]], price: float, kind: str | None = None) -> float:
        return max(caught_at(one, price, kind) for one in curves.values())

    return Row(
        regime=regime,
        planted=planted,
        ours=[caught_at(curve, price) / every for price in PRICES],
        best=[caught / every for caught, _ in best],
        best_name=[name for _, name in best],
        screened=[best_of(screened, price) / every for price in PRICES],
        bound=[caught_at(bound, price) / every for price in PRICES] if bound else [],
        ours_withdrawal=[caught_at(curve, price, "withdrawal") / away for price in PRICES],
        best_withdrawal=[best_of(rules, price, "withdrawal") / away for price in PRICES],
        ours_confrontation=[caught_at(curve, price, "confrontation") / against for price in PRICES],
        best_confrontation=[best_of(rules, price, "confrontation") / against for price in PRICES],
        default=curve[SENSITIVITIES.index(1.0)],
        default_kinds=default_kinds,
        quiet=sum(one.quiet_checkins for one in practices),
        field={name: [caught_at(one, price) / every for price in PRICES] for name, one in rules.items()},
    )


def regimes(is_quick: bool) -> Iterator[Regime]:
    """The whole grid, or one practice for each ceiling and depth."""
    for ceiling, depth, autocorrelation, missingness in product(CEILINGS, DEPTHS, AUTOCORRELATIONS, MISSINGNESS):
        if not is_quick or (autocorrelation, missingness) == (0.3, "informative"):
            yield ceiling, depth, autocorrelation, missingness


HEAD = (
    "| ceiling | depth | AR | missing | ruptures | price | ours | best rule | ratio | same forms screened | bound "
    "| withdrawal: ours | best rule | ratio | confrontation: ours | best rule |\n" + "|---" * 16 + "|"
)


def lines_of(row: Row) -> Iterator[str]:
    """Table lines, one a price."""
    ceiling, depth, autocorrelation, missingness = row.regime
    for index, price in enumerate(PRICES):
        bound = f"{row.bound[index]:.2f}" if row.bound else ""
        yield (
            f"| {ceiling} | {depth:g} | {autocorrelation:g} | {missingness} | {sum(row.planted.values())} | {price:g} "
            f"| {row.ours[index]:.2f} | {row.best[index]:.2f} {row.best_name[index]} | {row.ratio(index):.2f} "
            f"| {row.screened[index]:.2f} | {bound} | {row.ours_withdrawal[index]:.2f} "
            f"| {row.best_withdrawal[index]:.2f} | {row.withdrawal_ratio(index):.2f} "
            f"| {row.ours_confrontation[index]:.2f} | {row.best_confrontation[index]:.2f} |"
        )


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """The targets, and whether they were met; figures over all regimes."""
    for index, price in enumerate(PRICES):
        ratios, away = [row.ratio(index) for row in rows], [row.withdrawal_ratio(index) for row in rows]
        text = (
            f"* At {price:g} false flags per 100 check-ins: ours over the best rule, lowest {min(ratios):.2f}, median "
            f"{median(ratios):.2f} (wanted 1.25 everywhere; missed in {sum(one < 1.25 for one in ratios)} of "
            f"{len(rows)} regimes); withdrawal lowest {min(away):.2f}, median {median(away):.2f} (wanted 2; missed in "
            f"{sum(one < 2 for one in away)})"
        )
        screened = [row.ours[index] / max(row.screened[index], 1e-9) for row in rows]
        text += f"; over the best rule given our screen for inverted forms, lowest {min(screened):.2f}"
        bounds = [row.ours[index] / max(row.bound[index], 1e-9) for row in rows if row.bound]
        if bounds:
            text += f"; share of the bound, lowest {min(bounds):.2f}, median {median(bounds):.2f} (aim 0.95)"
        yield text + "."
    yield from _default_summary(rows)


def _default_summary(rows: Sequence[Row]) -> Iterator[str]:
    false = [row.default.false_per_100 for row in rows]
    quiet = sum(row.quiet for row in rows)
    kinds = sum((row.default_kinds for row in rows), Counter[str]())
    pooled = 100 * sum(kinds.values()) / quiet
    by_ceiling = ", ".join(
        f"{name} {median(row.default.false_per_100 for row in rows if row.regime[0] == name):.2f}"
        for name in CEILINGS
        if any(row.regime[0] == name for row in rows)
    )
    delays = [delay for row in rows for delay in row.default.delays]
    caught = sum(row.default.total for row in rows) / sum(sum(row.planted.values()) for row in rows)
    yield (
        f"* Default setting: {min(false):.2f} to {max(false):.2f} false flags per 100 check-ins (wanted at most 2; "
        f"median by ceiling: {by_ceiling}); pooled {pooled:.2f}, printed {EXPECTED_FALSE_FLAGS_PER_100:g}; catches "
        f"{caught:.0%} of the ruptures, median delay {median(delays):g} sessions after the onset session."
    )
    yield "* False flags per 100 check-ins by kind, pooled: " + ", ".join(
        f"`{kind}` {100 * kinds[kind] / quiet:.2f}" for kind in KINDS
    )


def page(rows: Sequence[Row], command: str, seconds: float, size: str) -> str:
    """The page that docs keep."""
    rules = "\n".join(
        f"| {name} | `{RULES[name].formula}` | "
        + " | ".join(f"{median(row.field[name][index] for row in rows):.2f}" for index in range(len(PRICES)))
        + " |"
        for name in RULES
    )
    intro = PAGE.read_text(encoding="utf-8").partition("<!-- measured -->")[0] if PAGE.exists() else ""
    return "\n".join(
        [
            intro + "<!-- measured -->",
            "",
            "## Measured",
            "",
            f"`{command}`, {size}, Python {platform.python_version()}, {seconds / 60:.0f} minutes.",
            "",
            *summary(rows),
            "",
            "The field's rules, share caught at 1, 2 and 3 false flags per 100 check-ins, median over regimes:",
            "",
            "| rule | formula | 1 | 2 | 3 |",
            "|---|---|---|---|---|",
            rules,
            "",
            "## Every regime",
            "",
            HEAD,
            *(line for row in rows for line in lines_of(row)),
            "",
        ]
    )


def calibrated(ceiling: str, weeks: int) -> Prior:
    """What `alliance calibrate` finds in a practice of another seed under this ceiling, ruptures of all depths."""
    made = simulate(
        PracticeParameters(
            first_day=datetime(2026, 1, 5, tzinfo=UTC),
            seed=CALIBRATION_SEED,
            therapists=12,
            weeks=weeks,
            ceiling=cast(Literal["base", "low", "heavy"], ceiling),
        )
    )
    return calibrate(calibration_cases(histories_of(made.events, INSTRUMENTS))).prior


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.detection")
    options.add_argument("--quick", action="store_true", help="nine regimes, smaller practices, no bound")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--therapists", type=int, default=0)
    options.add_argument("--weeks", type=int, default=26)
    options.add_argument("--no-bound", action="store_true", help="without the classifier (needs scikit-learn)")
    options.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options.add_argument("--calibrated", action="store_true", help="each ceiling with the prior of another practice")
    options.add_argument("--therapist-checkins", action="store_true", help="practices in which therapists answer too")
    given = options.parse_args()
    therapists = given.therapists or (6 if given.quick else 12)
    started = time.perf_counter()
    rows = []
    print(HEAD)
    priors = {one: calibrated(one, given.weeks) for one in CEILINGS} if given.calibrated else {}
    for regime in regimes(given.quick):
        YARDSTICKS.update(yardsticks_of(INSTRUMENTS, priors.get(regime[0], DEFAULT_PRIOR)))
        has_bound = not (given.quick or given.no_bound)
        seeds = range(1, given.seeds + 1)
        rows.append(
            measure(regime, seeds, therapists, given.weeks, has_bound, therapist_checkins=given.therapist_checkins)
        )
        print("\n".join(lines_of(rows[-1])), flush=True)
    seconds = time.perf_counter() - started
    print("\n".join(["", *summary(rows), f"{seconds:.0f} s"]))
    if given.write:
        size = f"{given.seeds} seeds x {therapists} therapists x {given.weeks} weeks for each regime"
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        command = "python -m benchmarks.detection --write" + (" --no-bound" if given.no_bound else "")
        PAGE.write_text(page(rows, command, seconds, size), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
