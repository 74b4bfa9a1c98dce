"""What a practice expects of a check-in before it has seen one: mean by session number and variance components.

In: an instrument definition. Out: a `Yardstick`, all of it in shares of the instrument's range (0-1).
Never: a figure of a single case.

The shipped figures are working values for a four-item form on a 0-40 scale, before the ceiling cuts them off: mean
37.62 at session 1, rising 0.12 a session to session 10, SD 3.6 between cases and 1.0 between therapists, 2.3 within a
case, lag-1 autocorrelation of the within-case residuals 0.3. `alliance.evaluation.calibration` estimates a
practice's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

import msgspec

from schemas.instruments.definition import Instrument

_RANGE = 40.0
GROWTH_SESSIONS = 10
#: Answers in steps of a hundredth of the range or less count as not rounded.
FINE_STEP = 0.01
#: Stiff forms become more frequent with the step to this power, up to a share; fits rounded simulated answers.
STIFFENING, MOST_STIFF = 1.7, 0.2


@dataclass(frozen=True, slots=True)
class Prior:
    """Variance components of a practice, latent (before the ceiling), in shares of the range."""

    first_mean: float = 37.62 / _RANGE
    growth_per_session: float = 0.12 / _RANGE
    between_variance: float = (3.6 / _RANGE) ** 2 + (1.0 / _RANGE) ** 2
    within_variance: float = (2.3 / _RANGE) ** 2
    autocorrelation: float = 0.3
    #: Of sessions held, without a client check-in; of appointments, missed by the client.
    missing_share: float = 0.30
    missed_share: float = 0.07
    within_sd: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "within_sd", sqrt(self.within_variance))

    def mean(self, session_number: int) -> float:
        """Expected score at a session of this number (1 for the first), 0-1 and, before the ceiling, a little above."""
        return self.first_mean + self.growth_per_session * (min(session_number, GROWTH_SESSIONS) - 1)


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a score of one instrument is held against, in shares of its range.

    The last four say how coarse its answers are; a form of hundredths has the figures that stand here.
    """

    prior: Prior
    standard_error: float
    cutoff: float | None
    #: From which true score on a form shows the ceiling.
    edge: float = 1.0
    #: Variance that rounding the answers adds to a total.
    rounding_variance: float = 0.0
    #: The smallest step of an ingredient.
    grain: float = 0.01
    #: Share of quiet forms, not near the ceiling, with all answers alike or the same as last time.
    stiff_share: float = 0.003


DEFAULT_PRIOR = Prior()
DEFAULT_YARDSTICK = Yardstick(DEFAULT_PRIOR, standard_error=0.03, cutoff=None)


_FIELDS = (
    "first_mean",
    "growth_per_session",
    "between_variance",
    "within_variance",
    "autocorrelation",
    "missing_share",
    "missed_share",
)
#: Of the range, at each session; ten sessions of it already span the whole range.
_MOST_GROWTH = 0.1


def encode_prior(prior: Prior) -> bytes:
    """A prior as a JSON object, to keep in a file."""
    return msgspec.json.format(msgspec.json.encode({name: getattr(prior, name) for name in _FIELDS}))


def decode_prior(value: bytes) -> Prior:
    """The prior of such a file; raises ValueError with one sentence when it is none."""
    try:
        figures = msgspec.json.decode(value, type=dict[str, float])
    except msgspec.DecodeError as error:
        raise ValueError("A prior is a JSON object of numbers; `alliance calibrate` writes one.") from error
    if set(figures) != set(_FIELDS):
        raise ValueError(f"A prior has exactly the figures {', '.join(_FIELDS)}.")
    # Each of these is false for what is not a number, too.
    if not (0 < figures["within_variance"] < 1 and 0 < figures["between_variance"] < 1):
        raise ValueError("Both variances of a prior lie between 0 and 1.")
    if not 0 <= figures["autocorrelation"] < 1:
        raise ValueError("The autocorrelation of a prior is at least 0 and below 1.")
    if not (0 < figures["missing_share"] < 1 and 0 < figures["missed_share"] < 1):
        raise ValueError("Both shares of a prior lie between 0 and 1.")
    if not abs(figures["first_mean"]) < 3:
        raise ValueError("The first_mean of a prior is a share of the instrument's range, between -3 and 3.")
    if not abs(figures["growth_per_session"]) <= _MOST_GROWTH:
        raise ValueError(f"The growth_per_session of a prior lies between -{_MOST_GROWTH} and {_MOST_GROWTH}.")
    return Prior(**figures)


def yardsticks_of(instruments: Mapping[str, Instrument], prior: Prior = DEFAULT_PRIOR) -> dict[str, Yardstick]:
    """One yardstick per instrument."""
    return {name: _yardstick(instrument, prior) for name, instrument in instruments.items()}


def _yardstick(instrument: Instrument, prior: Prior) -> Yardstick:
    step = 1 / instrument.span
    coarseness = max(0.0, step - FINE_STEP)
    fewest = min((len(rule.items) for rule in instrument.ingredient_rules), default=1)
    return Yardstick(
        prior,
        instrument.standard_error_share or DEFAULT_YARDSTICK.standard_error,
        instrument.cutoff_share,
        edge=1.0 - coarseness / 2,
        rounding_variance=coarseness * coarseness / (12 * len(instrument.items)),
        grain=max(FINE_STEP, step / fewest),
        stiff_share=min(MOST_STIFF, 0.003 * max(1.0, step / FINE_STEP) ** STIFFENING),
    )
