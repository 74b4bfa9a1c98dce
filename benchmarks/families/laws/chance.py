"""Seeded random numbers: one stream for each purpose, so that a planted rupture changes nothing else.

In: a seed, a purpose, a number. Out: a generator; draws between two bounds; an AR(1) series.
Never: a random number that does not come from the seed.
"""

from enum import IntEnum
from math import exp, log, sqrt
from zlib import crc32

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Chance = np.random.Generator


class Purpose(IntEnum):
    """The purpose of a stream of random numbers."""

    PRACTICE = 1
    THERAPIST = 2
    CASELOAD = 3
    PERSON = 4
    STANDING = 5
    ANSWERS = 6
    HABITS = 7
    NONRESPONSE = 8
    RUPTURE = 9
    SECOND_RATER = 10
    APPOINTMENTS = 11


def of_family(name: str, seed: int) -> int:
    """Another seed for each family, so that two families never share the draws of a practice."""
    return seed << 32 | crc32(name.encode())


def stream(seed: int, purpose: Purpose, number: int = 0) -> Chance:
    """The same three numbers give the same stream."""
    return np.random.default_rng((seed, purpose, number))


def between(chance: Chance, low: float, high: float) -> float:
    """Anywhere between two bounds, all equally likely."""
    return float(chance.uniform(low, high))


def between_in_proportion(chance: Chance, low: float, high: float) -> float:
    """Between two positive bounds, equally likely on a logarithmic scale."""
    return exp(between(chance, log(low), log(high)))


def happens(chance: Chance, probability: float) -> bool:
    """True with this probability."""
    return bool(chance.random() < probability)


def autoregressive(normals: Array, lag: float) -> Array:
    """An AR(1) series along the first axis: SD 1 everywhere, and this correlation between neighbours."""
    fresh = sqrt(1 - lag * lag)
    series = normals.copy()
    for step in range(1, len(series)):
        series[step] = lag * series[step - 1] + fresh * normals[step]
    return series


def log_odds(share: float) -> float:
    """ln(p / (1 - p))."""
    return log(share / (1 - share))


def share_of(odds_as_log: float) -> float:
    """The share that has these log-odds."""
    return 1 / (1 + exp(-odds_as_log))
