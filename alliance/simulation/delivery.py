"""In which order the events arrive.

In: when each event happened, and the shares of late and duplicated ones. Out: indices into the events, in order of
arrival, a duplicated event twice.
Never: a lost event.
"""

from collections.abc import Sequence

import numpy as np

from alliance.simulation.caseload import HOUR, MINUTE
from alliance.simulation.chance import Purpose, generator
from alliance.simulation.parameters import PracticeParameters


def arrivals(parameters: PracticeParameters, moments: Sequence[int]) -> list[int]:
    """`moments` in ascending order, in seconds. Without late or duplicated events the result is 0, 1, 2, …"""
    count = len(moments)
    if not (parameters.late_share or parameters.duplicated_share):
        return list(range(count))
    chance = generator(parameters.seed, Purpose.DELIVERY)
    late, twice = chance.random((count, 2)).T
    delay, again = chance.standard_exponential((count, 2)).T * parameters.late_hours * HOUR
    first = np.asarray(moments) + np.where(late < parameters.late_share, delay, 0.0)
    repeated = np.flatnonzero(twice < parameters.duplicated_share)
    arriving = np.concatenate([first, first[repeated] + MINUTE + again[repeated]])
    indices = np.concatenate([np.arange(count), repeated])
    return [int(index) for index in indices[np.argsort(arriving, kind="stable")]]
