"""Seeded chance.

In: a seed, a purpose and a number. Out: a separate generator for each, so that changing one parameter of the practice
does not change the rest; intercepts that make a logistic model produce a wanted share.
Never: a random number that does not come from the seed.
"""

import math
from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(31)
_WORD = 0xFFFFFFFF
_CERTAIN = 40.0  # log-odds


class Purpose(IntEnum):
    THERAPIST = 1
    OUTLINE = 2
    FORMS = 3
    VISITS = 4
    DELIVERY = 5


def generator(seed: int, purpose: Purpose, number: int = 0) -> np.random.Generator:
    """The stream of one purpose and number: Philox counts, so streams cannot meet (2**64 draws apart)."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, purpose, number, 0]))


def scramble(number: int) -> int:
    """A 32-bit number turned into another, one to one (MurmurHash3's finalizer)."""
    number = ((number ^ (number >> 16)) * 0x85EBCA6B) & _WORD
    number = ((number ^ (number >> 13)) * 0xC2B2AE35) & _WORD
    return number ^ (number >> 16)


def logistic(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def intercept_for(share: float, sd: float, shifts: Sequence[tuple[float, float]] = ((1.0, 0.0),)) -> float:
    """EventWriter-odds a: logistic(a + shift + normal(0, sd)) is `share` on average over pairs (weight, shift)."""
    if share <= 0 or share >= 1:
        return math.copysign(_CERTAIN, share - 0.5)

    def average(intercept: float) -> float:
        return sum(weight * _average_logistic(intercept + shift, sd) for weight, shift in shifts)

    return _bisect(lambda intercept: average(intercept) - share, -_CERTAIN, _CERTAIN)


def _average_logistic(mean: float, sd: float) -> float:
    return float(_WEIGHTS @ (1 / (1 + np.exp(-(mean + sd * _NODES)))) / _WEIGHTS.sum())


def _bisect(rising: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
