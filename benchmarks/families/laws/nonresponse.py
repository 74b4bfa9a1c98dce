"""Which sessions have no client form, and which appointments were missed.

In: a practice's law, the client's course, the strain. Out: a flag for each session, a count for each appointment.
Never: an answer.

A form is missing by chance, by therapist, in spells (a missing form makes the next one likely to be missing), after a
low session, and more often towards the end of a case. Each family chooses which of these matter. All are log-odds that
are added up.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import hypot, log

import numpy as np
import numpy.typing as npt

from benchmarks.families.laws.chance import Array, Chance, Flags, between, between_in_proportion, log_odds, share_of
from benchmarks.families.laws.planting import Strain

MOST_MISSED_IN_A_ROW = 3
#: The last sessions of a case, and the usual share of all sessions that they are.
NEAR_END_SESSIONS, NEAR_END_SHARE = 3, 0.3
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)


@dataclass(frozen=True, slots=True)
class Nonresponse:
    """Missing forms and missed appointments of one practice."""

    share: float
    #: SD of log-odds between therapists, and between the clients of one.
    therapists_sd: float
    clients_sd: float
    #: Added to the log-odds after a missing form, for each SD below the client's own level, in the last sessions.
    spell: float = 0.0
    after_low: float = 0.0
    near_end: float = 0.0
    missed_share: float = 0.08

    def missing(self, below: Array, strain: Strain, therapist: float, chance: Chance) -> Flags:
        """`below`: how far each session is below the client's own level, in own SDs."""
        own = self._usual() + self.therapists_sd * therapist + self.clients_sd * float(chance.standard_normal())
        draws = chance.random(len(below))
        to_end = np.arange(len(below))[::-1]
        flags = np.zeros(len(below), dtype=bool)
        for session in range(len(below)):
            odds = (
                own
                + self.after_low * float(np.clip(below[session], -2, 4))
                + self.near_end * (to_end[session] < NEAR_END_SESSIONS)
            )
            odds += log(strain.missing_odds) * bool(strain.withdrawn[session])
            odds += self.spell * bool(session and flags[session - 1])
            flags[session] = draws[session] < share_of(odds)
        return flags

    def missed(self, strain: Strain, chance: Chance) -> npt.NDArray[np.int64]:
        """Appointments missed by the client before each session; none before the first."""
        odds = log_odds(self.missed_share) + np.log(strain.missing_odds) * strain.withdrawn
        share = 1 / (1 + np.exp(-odds))
        draws = chance.random(len(share))
        counts = sum((draws < share**times).astype(np.int64) for times in range(1, MOST_MISSED_IN_A_ROW + 1))
        counted = np.asarray(counts, dtype=np.int64)
        counted[:1] = 0
        return counted

    def _usual(self) -> float:
        """The log-odds after an answer that give `share` on average."""
        sd = hypot(self.therapists_sd, self.clients_sd, self.after_low)
        return usual_log_odds(self.share, sd, self.spell, self.near_end * NEAR_END_SHARE)


def nonresponse(chance: Chance, most: float = 0.42) -> Nonresponse:
    """By chance, by therapist and by client."""
    return Nonresponse(
        share=between_in_proportion(chance, 0.04, most),
        therapists_sd=between(chance, 0.1, 0.8),
        clients_sd=between(chance, 0.0, 0.8),
        missed_share=between(chance, 0.03, 0.15),
    )


@lru_cache(maxsize=256)
def usual_log_odds(share: float, sd: float, spell: float, shift: float) -> float:
    """The log-odds that give this share on average over people who differ by `sd`, when a missing form adds `spell`."""
    low, high = -12.0, 12.0
    for _ in range(50):
        middle = (low + high) / 2
        if _share_in_all(middle + shift, sd, spell) > share:
            high = middle
        else:
            low = middle
    return low


def _share_in_all(usual: float, sd: float, spell: float) -> float:
    """Stationary share of the two-state chain, averaged over people."""
    after_answer = 1 / (1 + np.exp(-(usual + sd * _NODES)))
    after_missing = 1 / (1 + np.exp(-(usual + spell + sd * _NODES)))
    stationary = after_answer / (1 + after_answer - after_missing)
    return float(_WEIGHTS @ stationary / _WEIGHTS.sum())
