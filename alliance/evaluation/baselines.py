"""Rules used in the field, for comparison: each is a threshold below which a score must not fall.

In: the scored client check-ins of one case, in order (0-1), and a limit. Out: where a rule would have flagged.
Never: part of the product's own detectors; named after an author (each rule is named by its formula).

From the scores before, each rule gives a reference and a unit; a score below reference - limit x unit is flagged. Run
rules add thresholds that count only if earlier scores are below them too. At a greater limit each threshold is lower,
so a case that is not flagged at one limit is not flagged at a greater one either. All rules share the product's
lifecycle: an open flag is not raised again; two scores in a row at or over the threshold repair it; `UNREPAIRED_AFTER`
sessions without that end it; then a score over the threshold is needed before the next flag.
docs/benchmarks/detection.md names the sources.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt
from types import MappingProxyType

from pipeline.core.case.flag_lifecycle import REPAIR_CHECKINS, UNREPAIRED_AFTER

#: (session number, score 0-1)
Scored = tuple[int, float]
#: Reference and unit; None: the rule cannot be applied yet.
Reference = tuple[float, float] | None
#: Reference, unit, and the earlier score that must be below the threshold too (`ALONE`: none) for it to count.
Line = tuple[float, float, float]
Lines = tuple[Line, ...]
ALONE = -inf

_RANGE = 40.0
#: As in schemas/instruments/srs-3.toml, which names its source.
STANDARD_ERROR = 1.39 / _RANGE
#: The within-case SD for rules that need one for the practice; working value.
PRACTICE_SD = 1.6 / _RANGE
#: Scores before a case's own mean and SD are used.
FEWEST_OWN = 3
#: A run is this many scores on one side of the mean, or this many falls in a row; the usual limits are at 3 units.
RUN, USUAL_UNITS = 7, 3.0
FALLS = 6


def no_runs(_: Sequence[float]) -> Lines:
    """Most rules use one score alone."""
    return ()


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A rule, its usual limit, and the limits for tuning, from the most flags to the fewest."""

    name: str
    formula: str
    reference: Callable[[Sequence[float]], Reference]
    usual: float
    limits: tuple[float, ...]
    runs: Callable[[Sequence[float]], Lines] = no_runs


def level(_: Sequence[float]) -> Reference:
    """A cut-off: below 36 of 40, lowered by the limit."""
    return 36.0 / _RANGE, 1.0


def drop(before: Sequence[float]) -> Reference:
    """The previous score."""
    return (before[-1], 1.0) if before else None


def level_or_drop(before: Sequence[float]) -> Reference:
    """Below 36 of 40, or a point or more below the previous score, both lowered by the limit."""
    cutoff = 36.0 / _RANGE
    return (max(cutoff, before[-1] - 1.0 / _RANGE + 1e-9) if before else cutoff), 1.0


def drop_from_best(before: Sequence[float]) -> Reference:
    """The best of the last three, in standard errors of a difference."""
    return (max(before[-3:]), sqrt(2) * STANDARD_ERROR) if before else None


def reliable_change(before: Sequence[float]) -> Reference:
    """The previous score, in standard errors of a difference: (y - previous) / (SE sqrt 2)."""
    return (before[-1], sqrt(2) * STANDARD_ERROR) if before else None


def change_from_first(before: Sequence[float]) -> Reference:
    """The first score, in standard errors of a difference."""
    return (before[0], sqrt(2) * STANDARD_ERROR) if before else None


def own_sd(before: Sequence[float]) -> Reference:
    """The case's own mean, in its own SDs (at least a standard error), from three scores on."""
    if len(before) < FEWEST_OWN:
        return None
    mean, sd = _mean_and_sd(before)
    return mean, max(sd, STANDARD_ERROR)


def own_sd_strict(before: Sequence[float]) -> Reference:
    """As `own_sd`, in the greater of the case's and the practice's SD."""
    if len(before) < FEWEST_OWN:
        return None
    mean, sd = _mean_and_sd(before)
    return mean, max(sd, PRACTICE_SD)


def moving_range(before: Sequence[float]) -> Reference:
    """Individuals chart: the case's own mean, in mean moving ranges (at least an SE) / 1.128, from three scores on."""
    if len(before) < FEWEST_OWN:
        return None
    ranges = [abs(b - a) for a, b in pairwise(before)]
    return sum(before) / len(before), max(sum(ranges) / len(ranges), STANDARD_ERROR) / 1.128


def run_rules(before: Sequence[float]) -> Lines:
    """In addition to `moving_range`: 2 of 3 below two thirds of its limit, 7 in a row below the mean, 6 falls in a row.

    One-sided: only falls matter here. The mean is that of all scores before. So that the rule can be tuned like all
    others, the thresholds for runs move with the limit: at its usual 3 they are the mean and the previous score.
    """
    reference = moving_range(before)
    if reference is None:
        return ()
    mean, unit = reference
    lines = [(mean, unit * 2 / 3, min(before[-2:]))]
    usual = USUAL_UNITS * unit - 1e-9
    if len(before) >= RUN - 1:
        lines.append((mean + usual, unit, max(before[1 - RUN :])))
    if len(before) >= FALLS and all(b < a for a, b in pairwise(before[-FALLS:])):
        lines.append((before[-1] + usual, unit, ALONE))
    return tuple(lines)


def _mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _steps(least: float, most: float, count: int) -> tuple[float, ...]:
    return tuple(least + (most - least) * step / (count - 1) for step in range(count))


_EASED = _steps(-0.1, 0.92, 69)
_SDS = _steps(0.5, 28.0, 67)
RULES = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            FieldRule("level", "score < 36/40 - d", level, 0.0, _EASED),
            FieldRule("drop", "score < previous - d", drop, 1 / _RANGE - 1e-9, _steps(0.0, 1.0, 69)),
            FieldRule("level-or-drop", "score < 36/40 - d or <= previous - 1/40 - d", level_or_drop, 0.0, _EASED),
            FieldRule("reliable-change", "score < previous - k SE sqrt 2", reliable_change, 1.96, _SDS),
            FieldRule("change-from-first", "score < first - k SE sqrt 2", change_from_first, 1.96, _SDS),
            FieldRule("drop-from-best", "score < best of last 3 - k SE sqrt 2", drop_from_best, 1.96, _SDS),
            FieldRule("own-sd", "score < own mean - k own SD", own_sd, 1.0, _SDS),
            FieldRule("own-sd-strict", "score < own mean - k max(own SD, practice SD)", own_sd_strict, 2.0, _SDS),
            FieldRule("xmr", "score < own mean - k mean moving range / 1.128", moving_range, USUAL_UNITS, _SDS),
            FieldRule(
                "xmr-runs",
                "score < own mean - k u, 2 of 3 < own mean - 2k/3 u, 7 in a row < own mean - (k - 3) u, "
                "or 6 falls, the last > (k - 3) u; u = mean moving range / 1.128",
                moving_range,
                USUAL_UNITS,
                _SDS,
                run_rules,
            ),
        )
    }
)


def references(rule: FieldRule, scores: Sequence[Scored]) -> list[Lines]:
    """What each check-in is compared with."""
    values = [score for _, score in scores]
    return [_lines(rule, values[:index]) for index in range(len(values))]


def _lines(rule: FieldRule, before: Sequence[float]) -> Lines:
    reference = rule.reference(before)
    return () if reference is None else ((*reference, ALONE), *rule.runs(before))


def flagged(scores: Sequence[Scored], thresholds: Sequence[Lines], limit: float) -> Iterator[int]:
    """Session numbers at which a flag opens."""
    target, opened, back, is_live, is_armed = 0.0, 0, 0, False, True
    for (number, score), lines in zip(scores, thresholds, strict=True):
        line = _highest(lines, limit)
        if is_live:
            back = back + 1 if score >= target else 0
            if back >= REPAIR_CHECKINS:
                is_live, is_armed = False, True
            elif number - opened >= UNREPAIRED_AFTER:
                is_live, is_armed = False, False
        elif score < line and is_armed:
            target, opened, back, is_live = line, number, 0, True
            yield number
        else:
            is_armed = is_armed or score >= line


def _highest(lines: Lines, limit: float) -> float:
    """The threshold below which a score is flagged at this limit."""
    highest = -1.0
    for reference, unit, earlier in lines:
        line = reference - limit * unit
        if line > highest and earlier < line:
            highest = line
    return highest
