"""Section 4.4, as far as it concerns one check-in alone: the ratios of its score, its answers and its ingredients.

In: a deviation, answers, ingredient scores. Out: ratios. Never: a change of anything but the learned shares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, fsum, log
from typing import Any

from tests.oracle.instruments import INGREDIENTS
from tests.oracle.levels import upper_tail, within

SHIFTS = ((1.5, 2.5, 4.0), (0.6, 1.0, 1.6))
LN2 = log(2)


def mean(values: Sequence[float]) -> float:
    """The mean."""
    return fsum(values) / len(values)


def score_ratio(kind: int, z: float, e: float) -> float:
    """How much more likely this deviation is after one of the shifts of this kind, 0 against or 1 away."""
    z = max(z, -12)
    return max(mean([exp(-shift * e * (z + shift * e / 2)) for shift in SHIFTS[kind]]), 1e-6)


def ceiling_ratios(z: float, e: float) -> tuple[float, float]:
    """For a check-in at the ceiling: the first ratio of `score`, the second one of `response_style`."""
    q0 = max(upper_tail(z), 0.03)
    q1, q2 = (mean([upper_tail(z + shift * e) for shift in shifts]) for shifts in SHIFTS)
    return within(0.001, q1 / q0, 1), (0.3 + (0.4 + 0.3 * q0) * q2) / q0


def is_invariant(answers: Mapping[str, Any], last: Mapping[str, Any] | None) -> bool:
    """All given answers are the same, or all are as they were the last time."""
    given = [answer for answer in answers.values() if answer is not None]
    return (len(given) >= 2 and len(set(given)) == 1) or answers == last


def usually_invariant(invariant: int, answered: int, by_chance: float) -> float:
    """How often a client's answers are invariant without a strain (`f`): one in twenty clients always answers so."""
    u = (invariant + 10 * by_chance) / (answered + 10)
    o = log(0.05 / 0.95) + invariant * log(0.9 / by_chance) + (answered - invariant) * log(0.1 / (1 - by_chance))
    of_always = 1 / (1 + exp(-within(-50, o, 50)))
    return 0.9 * of_always + (1 - of_always) * u


def invariant_ratio(invariant: bool, usually: float) -> float:
    """How much more likely invariant answers, or other ones, are if the client has withdrawn."""
    return max(0.3 / usually, 1.0) if invariant else min(0.4 / (1 - usually), 1.0)


@dataclass
class Shares:
    """What each ingredient usually has of what is lost: sums (`S`) and their weight (`n`)."""

    sums: list[float] = field(default_factory=list)
    weight: float = 0.0

    def of(self, ingredients: Mapping[str, float], answer_step: float) -> tuple[list[float], float] | None:
        """The shares of one check-in and its mean loss; None if they do not count."""
        lost = [1 - ingredients[name] for name in INGREDIENTS if name in ingredients]
        if len(lost) < 3 or mean(lost) < answer_step:
            return None
        logs = [log(loss + answer_step) for loss in lost]
        return [log_loss - mean(logs) for log_loss in logs], mean(lost)

    def ratio(self, shares: list[float], mean_lost: float, answer_step: float) -> float:
        """How much more likely these shares are if one ingredient has lost twice as much as usual."""
        self._start_again_if_other(shares)
        k, n = len(shares), self.weight
        v = 0.354**2 * (1 + 1 / (n + 1)) + (0.5 * answer_step / (mean_lost + answer_step)) ** 2
        rho = [
            exp(LN2 / v * (share - total / (n + 1)) - LN2**2 / (2 * v) * (1 - 1 / k))
            for share, total in zip(shares, self.sums, strict=True)
        ]
        return 0.7 * min(mean(rho), 20) + 0.3

    def learn(self, shares: list[float], weight: float) -> None:
        """The shares of a check-in outside any episode."""
        self.sums = [total + weight * share for total, share in zip(self.sums, shares, strict=True)]
        self.weight += weight

    def _start_again_if_other(self, shares: list[float]) -> None:
        if len(shares) != len(self.sums):
            self.sums, self.weight = [0.0] * len(shares), 0.0
