"""Turns what a client means into what the form can hold.

In: latent values in shares of the range. Out: answers 0-1 in the steps of the form.
Never: a random number.
"""

import numpy as np

from benchmarks.families.laws.chance import Array

#: The finest step of `checkin-4/1`: a tenth of a point of ten.
TENTH_OF_A_POINT = 0.01
_DIGITS = 9


def in_steps(values: Array, step: float) -> Array:
    """Cut off at both ends of the scale and rounded to the nearest step; equal answers are equal numbers."""
    return np.round(np.round(np.clip(values, 0.0, 1.0) / step) * step, _DIGITS)


def squeezed(latent: Array) -> Array:
    """A scale whose ends are hard to reach: the logistic curve that is 0.5 at 0.5 and has slope 1 there."""
    return np.asarray(1 / (1 + np.exp(-4 * (latent - 0.5))))


def stretched(share: Array) -> Array:
    """The latent value that `squeezed` turns into this share."""
    inside = np.clip(share, 0.005, 0.995)
    return np.asarray(0.5 + np.log(inside / (1 - inside)) / 4)
