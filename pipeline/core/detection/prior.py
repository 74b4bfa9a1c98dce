"""What to expect of a check-in in this practice (the prior), and how precisely an instrument measures.

In: an instrument definition. Out: a `MeasurementModel`, all of it in shares of the instrument's range (0-1).
Never: a figure of a single case.

The shipped figures are working values for a four-item check-in on a 0-40 scale, before the ceiling cuts them off: mean
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
#: The expected score rises up to this session (working value, as the shipped figures are).
GROWTH_SESSIONS = 10
#: Answers in steps of a hundredth of the range or less count as not rounded.
FINE_STEP = 0.01
#: With fine answers, the share of check-ins with invariant answers when there is no strain (working value).
INVARIANT_SHARE = 0.003
#: With coarser answers this share rises with the step to this power, up to a limit; fitted to simulated answers.
INVARIANT_POWER, MOST_INVARIANT = 1.7, 0.2


@dataclass(frozen=True, slots=True)
class Prior:
    """Variance components of a practice, latent (before the ceiling), in shares of the range."""

    first_mean: float = 37.62 / _RANGE
    growth_per_session: float = 0.12 / _RANGE
    between_variance: float = (3.6 / _RANGE) ** 2 + (1.0 / _RANGE) ** 2
    within_variance: float = (2.3 / _RANGE) ** 2
    autocorrelation: float = 0.3
    #: The share of sessions held without a client check-in, and of appointments that the client missed.
    missing_share: float = 0.30
    missed_share: float = 0.07
    within_sd: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "within_sd", sqrt(self.within_variance))

    def mean(self, session_number: int) -> float:
        """Expected score at a session of this number (1 for the first), 0-1 and, before the ceiling, a little above."""
        return self.first_mean + self.growth_per_session * (min(session_number, GROWTH_SESSIONS) - 1)


@dataclass(frozen=True, slots=True)
class MeasurementModel:
    """What a score of one instrument is compared with, in shares of its range.

    The last four say how coarse its answers are; the defaults are those of an instrument with answers in hundredths.
    """

    prior: Prior
    standard_error: float
    cutoff: float | None
    #: A true score at or above this gives the best possible answers.
    ceiling_from: float = 1.0
    #: Variance that rounding the answers adds to a total.
    rounding_variance: float = 0.0
    #: The smallest step of an ingredient.
    answer_step: float = FINE_STEP
    #: Share of unstrained check-ins, not near the ceiling, whose answers are all the same or the same as last time.
    invariant_share: float = INVARIANT_SHARE


DEFAULT_PRIOR = Prior()
DEFAULT_MODEL = MeasurementModel(DEFAULT_PRIOR, standard_error=0.03, cutoff=None)


_FIELDS = (
    "first_mean",
    "growth_per_session",
    "between_variance",
    "within_variance",
    "autocorrelation",
    "missing_share",
    "missed_share",
)
#: At each session, as a share of the range; ten sessions of it already span the whole range.
_MOST_GROWTH = 0.1


def encode_prior(prior: Prior) -> bytes:
    """A prior as a JSON object, to keep in a file."""
    return msgspec.json.format(msgspec.json.encode({name: getattr(prior, name) for name in _FIELDS}))


def decode_prior(value: bytes) -> Prior:
    """The prior of such a file; raises ValueError with one sentence if the file is not a valid prior."""
    try:
        figures = msgspec.json.decode(value, type=dict[str, float])
    except msgspec.DecodeError as error:
        raise ValueError("A prior is a JSON object of numbers; `alliance calibrate` writes one.") from error
    if set(figures) != set(_FIELDS):
        raise ValueError(f"A prior has exactly the figures {', '.join(_FIELDS)}.")
    # Each of these comparisons is false for NaN too.
    if not (0 < figures["within_variance"] < 1 and 0 < figures["between_variance"] < 1):
        raise ValueError("Both variances of a prior must be between 0 and 1.")
    if not 0 <= figures["autocorrelation"] < 1:
        raise ValueError("The autocorrelation of a prior must be at least 0 and below 1.")
    if not (0 < figures["missing_share"] < 1 and 0 < figures["missed_share"] < 1):
        raise ValueError("Both shares of a prior must be between 0 and 1.")
    if not abs(figures["first_mean"]) < 3:
        raise ValueError("The first_mean of a prior is a share of the instrument's range and must be between -3 and 3.")
    if not abs(figures["growth_per_session"]) <= _MOST_GROWTH:
        raise ValueError(f"The growth_per_session of a prior must be between -{_MOST_GROWTH} and {_MOST_GROWTH}.")
    return Prior(**figures)


def measurement_models(
    instruments: Mapping[str, Instrument], prior: Prior = DEFAULT_PRIOR
) -> dict[str, MeasurementModel]:
    """One measurement model for each instrument."""
    return {name: _model(instrument, prior) for name, instrument in instruments.items()}


def _model(instrument: Instrument, prior: Prior) -> MeasurementModel:
    step = 1 / instrument.span
    coarseness = max(0.0, step - FINE_STEP)
    fewest = min((len(rule.items) for rule in instrument.ingredient_rules), default=1)
    return MeasurementModel(
        prior,
        instrument.standard_error_share or DEFAULT_MODEL.standard_error,
        instrument.cutoff_share,
        ceiling_from=1.0 - coarseness / 2,
        rounding_variance=coarseness * coarseness / (12 * len(instrument.items)),
        answer_step=max(FINE_STEP, step / fewest),
        invariant_share=min(MOST_INVARIANT, INVARIANT_SHARE * max(1.0, step / FINE_STEP) ** INVARIANT_POWER),
    )
