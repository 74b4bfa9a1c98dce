"""The field's rules, to be compared with: each a line under which a score must not fall.

In: the scored client check-ins of one case, in order (0-1), and a limit. Out: where a rule would have flagged.
Never: part of the product's own judgement; named by formula, not after an author.

Each rule says, from the scores before, under which value the next one is flagged. All of them share our lifecycle: an
open flag is not raised again; two scores in a row at or over the line that was crossed repair it; `UNREPAIRED_AFTER`
sessions without that end it; then a score over the line is needed before the next flag. docs/benchmarks/detection.md
names the sources.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from types import MappingProxyType

from pipeline.core.lifecycle import REPAIR_CHECKINS, UNREPAIRED_AFTER

#: (session number, score 0-1)
Scored = tuple[int, float]
#: Scores before, and the rule's limit, to the line; None: the rule has nothing to say yet.
Line = Callable[[Sequence[float], float], float | None]

_RANGE = 40.0
STANDARD_ERROR = 1.39 / _RANGE
#: Within-case SD that stands in where a rule wants one for the practice.
PRACTICE_SD = 1.6 / _RANGE
FEWEST_OWN = 3
XMR_CONSTANT = 2.66


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, the setting its users know, and the limits that tuning may try."""

    name: str
    formula: str
    line: Line
    usual: float
    limits: tuple[float, ...]


def level(_: Sequence[float], limit: float) -> float | None:
    """Flag a score under a cut-off."""
    return limit


def drop(before: Sequence[float], limit: float) -> float | None:
    """Flag a score more than `limit` under the previous one."""
    return before[-1] - limit if before else None


def level_or_drop(before: Sequence[float], limit: float) -> float | None:
    """Flag a score under 36/40 or one point under the previous one; a limit other than 0 eases both by as much."""
    cutoff = 36.0 / _RANGE - limit
    return max(cutoff, before[-1] - 1.0 / _RANGE - limit + 1e-9) if before else cutoff


def drop_from_best(before: Sequence[float], limit: float) -> float | None:
    """Flag a score more than `limit` standard errors of a difference under the best of the last three."""
    return max(before[-3:]) - limit * sqrt(2) * STANDARD_ERROR if before else None


def change_from_first(before: Sequence[float], limit: float) -> float | None:
    """Reliable change: more than `limit` standard errors of a difference under the first score."""
    return before[0] - limit * sqrt(2) * STANDARD_ERROR if before else None


def own_sd(before: Sequence[float], limit: float) -> float | None:
    """Flag a score `limit` SDs under the mean of at least three scores; the SD at least the standard error."""
    if len(before) < FEWEST_OWN:
        return None
    mean, sd = _mean_and_sd(before)
    return mean - limit * max(sd, STANDARD_ERROR)


def own_sd_strict(before: Sequence[float], limit: float) -> float | None:
    """As `own_sd`, with the greater of the case's and the practice's SD."""
    if len(before) < FEWEST_OWN:
        return None
    mean, sd = _mean_and_sd(before)
    return mean - limit * max(sd, PRACTICE_SD)


def moving_range(before: Sequence[float], limit: float) -> float | None:
    """Individuals chart: mean - limit x 2.66/3 x mean moving range, from three scores on; the range at least an SE."""
    if len(before) < FEWEST_OWN:
        return None
    ranges = [abs(b - a) for a, b in pairwise(before)]
    spread = max(sum(ranges) / len(ranges), STANDARD_ERROR)
    return sum(before) / len(before) - limit * XMR_CONSTANT / 3 * spread


def _mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _steps(least: float, most: float, count: int) -> tuple[float, ...]:
    return tuple(least + (most - least) * step / (count - 1) for step in range(count))


_SDS = _steps(0.5, 16.0, 63)
RULES = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            Rule("level", "score < c", level, 36 / _RANGE, _steps(0.0, 1.0, 101)),
            Rule("drop", "score < previous - d", drop, 1 / _RANGE, _steps(0.0, 1.0, 101)),
            Rule("level-or-drop", "score < 36/40 or <= previous - 1/40", level_or_drop, 0.0, _steps(0.0, 1.0, 101)),
            Rule("drop-from-best", "score < max(last 3) - k SE sqrt(2)", drop_from_best, 1.96, _SDS),
            Rule("reliable-change", "score < first - k SE sqrt(2)", change_from_first, 1.96, _SDS),
            Rule("own-sd", "score < own mean - k own SD", own_sd, 1.0, _SDS),
            Rule("own-sd-strict", "score < own mean - k max(own SD, practice SD)", own_sd_strict, 2.0, _SDS),
            Rule("xmr", "score < own mean - k 2.66/3 mean moving range", moving_range, 3.0, _SDS),
        )
    }
)


def lines(rule: Rule, scores: Sequence[Scored], limit: float) -> list[float | None]:
    """The line each check-in is held against."""
    values = [score for _, score in scores]
    return [rule.line(values[:index], limit) for index in range(len(values))]


def flagged(scores: Sequence[Scored], drawn: Sequence[float | None]) -> Iterator[int]:
    """Session numbers at which a flag opens."""
    target, opened, back, is_live, is_armed = 0.0, 0, 0, False, True
    for (number, score), line in zip(scores, drawn, strict=True):
        speaks = line is not None and score < line
        if is_live:
            back = back + 1 if score >= target else 0
            if back >= REPAIR_CHECKINS:
                is_live, is_armed = False, True
            elif number - opened >= UNREPAIRED_AFTER:
                is_live, is_armed = False, False
        elif speaks and is_armed and line is not None:
            target, opened, back, is_live = line, number, 0, True
            yield number
        else:
            is_armed = is_armed or not speaks
