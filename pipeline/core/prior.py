"""What a practice expects of a check-in before it has seen one: mean by session number and variance components.

In: an instrument definition. Out: a `Yardstick`, all of it in shares of the instrument's range (0-1).
Never: a figure of a single case.

The shipped figures are working values for a four-item form on a 0-40 scale, before the ceiling cuts them off: mean
37.62 at session 1, rising 0.12 a session to session 10, SD 3.6 between cases and 1.0 between therapists, 2.3 within a
case, lag-1 autocorrelation of the within-case residuals 0.3. `pipeline.core.calibration` estimates a practice's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

from schemas.instruments.definition import Instrument

_RANGE = 40.0
GROWTH_SESSIONS = 10


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
    """What a score of one instrument is held against, in shares of its range."""

    prior: Prior
    standard_error: float
    cutoff: float | None


DEFAULT_PRIOR = Prior()
DEFAULT_YARDSTICK = Yardstick(DEFAULT_PRIOR, standard_error=0.03, cutoff=None)


def yardsticks_of(instruments: Mapping[str, Instrument], prior: Prior = DEFAULT_PRIOR) -> dict[str, Yardstick]:
    """One yardstick per instrument."""
    return {name: _yardstick(instrument, prior) for name, instrument in instruments.items()}


def _yardstick(instrument: Instrument, prior: Prior) -> Yardstick:
    return Yardstick(
        prior,
        instrument.standard_error_share or DEFAULT_YARDSTICK.standard_error,
        instrument.cutoff_share,
    )
