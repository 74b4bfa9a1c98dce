"""What a practice expects of a check-in before it has seen one: mean by session number and variance components.

In: an instrument definition. Out: a `Yardstick`, all of it in shares of the instrument's range (0-1).
Never: a figure of a single case.

The shipped figures are working values for a four-item form on a 0-40 scale: observed mean 36.3 at session 1, rising
0.09 a session to session 10, between-case SD 2.7, within-case SD 1.6, lag-1 autocorrelation of the within-case
residuals 0.3. `alliance calibrate` will replace them by a practice's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.instruments.definition import Instrument

_RANGE = 40.0
GROWTH_SESSIONS = 10


@dataclass(frozen=True, slots=True)
class Prior:
    """Variance components of a practice, in shares of the range."""

    first_mean: float = 36.3 / _RANGE
    growth_per_session: float = 0.09 / _RANGE
    between_variance: float = (2.7 / _RANGE) ** 2
    within_variance: float = (1.6 / _RANGE) ** 2
    autocorrelation: float = 0.3

    def mean(self, session_number: int) -> float:
        """Expected score at a session of this number (1 for the first), 0-1."""
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
