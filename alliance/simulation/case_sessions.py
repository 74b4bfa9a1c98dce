"""What happens in one case, session by session: appointments kept and missed, the latent alliance, the forms.

In: parameters, therapist, outline and the case's own random numbers. Out: `Visits` and `CaseForms`: plain lists with
one entry for each session held, answers in tenths of a point.
Never: an id, a name or a date.

The latent alliance of session s is

    level + therapist + client + growth * min(s, growth_sessions) + AR(1) residual - strain * depth,

observed as four items whose sum is that number clipped to 0–40.
"""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from alliance.simulation.case_outline import CaseOutline, Rupture
from alliance.simulation.caseload import Therapist
from alliance.simulation.chance import intercept_for
from alliance.simulation.parameters import PracticeParameters
from schemas.instruments.definition import INGREDIENTS

MOST_MISSED_IN_A_ROW = 3
_ITEMS = len(INGREDIENTS)
_NORMALS = 4 + _ITEMS
_UNIFORMS = 12
_FULL = 400  # tenths

Answers = list[int]
Number = TypeVar("Number", float, np.ndarray)


@dataclass(frozen=True, slots=True)
class Visits:
    """One entry per session held; `ticks` count the case's appointments from 0, `draws` are for the forms."""

    ticks: list[int]
    missed_before: list[int]
    draws: np.ndarray


@dataclass(frozen=True, slots=True)
class CaseForms:
    """One entry per session held; a form not filled in is None."""

    answers: list[Answers | None]
    corrections: list[Answers | None]
    voided: list[bool]
    therapist_answers: list[Answers | None]
    missed_by: list[float]
    overrun: list[float]
    later: list[float]
    client_delay: list[float]
    therapist_delay: list[float]


class SessionModel:
    """Draws visits and forms; its intercept makes the practice's completion what the parameters say."""

    def __init__(self, parameters: PracticeParameters) -> None:
        self._parameters = parameters
        self._slope, self._spread = 0.0, 0.0
        if parameters.missingness == "informative":
            self._slope = math.log(parameters.missing_odds_ratio)
            self._spread = parameters.missing_therapist_log_odds_sd
        self._intercept = intercept_for(parameters.missing_share, math.hypot(self._slope, self._spread))

    def visits(self, outline: CaseOutline, chance: np.random.Generator) -> Visits:
        """When the client came; no client misses the first appointment."""
        draws = chance.random((outline.sessions, _UNIFORMS)).T
        missed = _times_in_a_row(draws[0], self._missed_share(outline))
        missed[0] = 0
        ticks = np.arange(outline.sessions) + np.cumsum(missed)
        return Visits(ticks.tolist(), missed.tolist(), draws)

    def forms(
        self,
        therapist: Therapist,
        outline: CaseOutline,
        rupture: Rupture | None,
        visits: Visits,
        chance: np.random.Generator,
    ) -> CaseForms:
        """All forms, also those before the simulated weeks; `rupture` is None where it is not to be planted."""
        p = self._parameters
        normal, uniform = chance.standard_normal((outline.sessions, _NORMALS)).T, visits.draws
        strain = rupture.strain(outline.sessions) if rupture else np.zeros(outline.sessions)
        residual = p.regime.within_sd * _autoregressive(normal[0], p.autocorrelation)
        standing = self._usual_level(therapist, outline) + residual - self._depth(rupture) * strain
        present = uniform[2] >= self._missing_probability(therapist, standing, strain, rupture)
        answers = self._client_answers(standing, strain, outline, rupture, normal, uniform)
        return CaseForms(
            answers=_where(present, answers),
            corrections=self._corrections(present, answers, uniform),
            voided=(present & (uniform[8] < p.voided_share)).tolist(),
            therapist_answers=self._therapist_answers(therapist, outline, residual, strain, rupture, normal, uniform),
            missed_by=uniform[1].tolist(),
            overrun=uniform[9].tolist(),
            later=uniform[10].tolist(),
            client_delay=normal[2].tolist(),
            therapist_delay=normal[3].tolist(),
        )

    def _usual_level(self, therapist: Therapist, outline: CaseOutline) -> float:
        """The case's distance from the practice's level, in points."""
        p = self._parameters
        return p.therapist_sd * therapist.client_rated + p.regime.client_sd * outline.client

    def _depth(self, rupture: Rupture | None) -> float:
        return rupture.depth * self._parameters.regime.within_sd if rupture else 0.0

    def _expected(self, sessions: int) -> np.ndarray:
        p = self._parameters
        return p.regime.level + p.growth * np.minimum(np.arange(1, sessions + 1), p.growth_sessions)

    def _missed_share(self, outline: CaseOutline) -> np.ndarray | float:
        share = self._parameters.missed_share
        if outline.rupture is None or outline.rupture.kind != "withdrawal":
            return share
        odds = self._parameters.withdrawal_odds_ratio * share
        return np.where(outline.rupture.strain(outline.sessions) > 0, odds / (1 - share + odds), share)

    def _missing_probability(
        self, therapist: Therapist, standing: np.ndarray, strain: np.ndarray, rupture: Rupture | None
    ) -> np.ndarray:
        usual = self._intercept + self._spread * therapist.missing
        log_odds = usual - self._slope * standing / self._parameters.total_sd
        if rupture and rupture.kind == "withdrawal":
            log_odds += math.log(self._parameters.withdrawal_odds_ratio) * (strain > 0)
        return np.asarray(1 / (1 + np.exp(-log_odds)))

    def _client_answers(
        self,
        standing: np.ndarray,
        strain: np.ndarray,
        outline: CaseOutline,
        rupture: Rupture | None,
        normal: np.ndarray,
        uniform: np.ndarray,
    ) -> np.ndarray:
        p = self._parameters
        withdraws = rupture is not None and rupture.kind == "withdrawal"
        hidden = self._depth(rupture) * (1 - p.withdrawal_visible) * strain if withdraws else 0.0
        total = _tenths(self._expected(outline.sessions) + standing + hidden)
        answers = _spread_over_items(total, self._log_shares(outline, rupture, strain, normal[4:]))
        if withdraws:
            flat = (strain > 0) & (uniform[4] < p.withdrawal_flat_share)
            level = np.where(uniform[5] < p.withdrawal_perfect_share, 100, 10 * np.rint(total / 40))
            answers = np.where(flat[:, None], level[:, None].astype(np.int64), answers)
        inverted = uniform[3] < p.inverted_share
        return np.where(inverted[:, None], 100 - answers, answers)

    def _log_shares(
        self, outline: CaseOutline, rupture: Rupture | None, strain: np.ndarray, normal: np.ndarray
    ) -> np.ndarray:
        """How unevenly the items share the shortfall: half of it the client's way, half of it the day's."""
        usual = np.asarray(outline.items)
        shares = (usual + normal.T) * (self._parameters.item_unevenness / math.sqrt(2))
        if rupture:
            shares[:, rupture.ingredient] += math.log(self._parameters.rupture_focus) * (strain > 0)
        return np.asarray(shares)

    def _corrections(self, present: np.ndarray, answers: np.ndarray, uniform: np.ndarray) -> list[Answers | None]:
        """Forms put right later: the right way round if inverted, else half a point on one item."""
        p = self._parameters
        if not p.corrected_share:
            return [None] * len(present)
        inverted = uniform[3] < p.inverted_share
        corrected = np.where(inverted[:, None], 100 - answers, answers)
        rows, items = np.arange(len(corrected)), (uniform[11] * _ITEMS).astype(np.int64)
        now = corrected[rows, items]
        corrected[rows, items] = np.where(now >= 95, now - 5, now + 5)
        return _where(present & (uniform[7] < p.corrected_share), corrected)

    def _therapist_answers(
        self,
        therapist: Therapist,
        outline: CaseOutline,
        residual: np.ndarray,
        strain: np.ndarray,
        rupture: Rupture | None,
        normal: np.ndarray,
        uniform: np.ndarray,
    ) -> list[Answers | None]:
        p = self._parameters
        if not p.therapist_checkins:
            return [None] * outline.sessions
        own = p.regime.within_sd * _autoregressive(normal[1], p.autocorrelation)
        noticed = self._depth(rupture) * strain if rupture and rupture.noticed else 0.0
        seen = _mixed(residual, own, p.therapist_congruence) - noticed
        level = p.therapist_rated_sd * therapist.therapist_rated - p.therapist_gap_sd * p.total_sd
        level += p.therapist_case_sd * _mixed(outline.client, outline.therapist_view, p.therapist_level_correlation)
        total = _tenths(self._expected(outline.sessions) + level + seen)
        answers = _spread_over_items(total, normal[4:].T[:, ::-1] * p.item_unevenness)
        return _where(uniform[6] >= p.therapist_missing_share, answers)


def _times_in_a_row(uniform: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """How many times in a row something of this probability happened, at most MOST_MISSED_IN_A_ROW."""
    times = np.zeros(len(uniform), dtype=np.int64)
    for power in range(1, MOST_MISSED_IN_A_ROW + 1):
        times += uniform < share**power
    return times


def _autoregressive(normal: np.ndarray, phi: float) -> np.ndarray:
    """AR(1) with SD 1 at every session."""
    fresh = math.sqrt(1 - phi * phi)
    values: list[float] = []
    for draw in normal.tolist():
        values.append(phi * values[-1] + fresh * draw if values else draw)
    return np.array(values)


def _mixed(first: Number, second: Number, correlation: float) -> Number:
    return correlation * first + math.sqrt(1 - correlation * correlation) * second


def _tenths(latent: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(10 * np.clip(latent, 0, 40)), dtype=np.int64)


def _spread_over_items(total: np.ndarray, log_shares: np.ndarray) -> np.ndarray:
    """Four items, in tenths, that add up to the total: what is shared out is what it lacks to be perfect."""
    shares = np.exp(log_shares)
    shares /= shares.sum(axis=1, keepdims=True)
    cuts = np.rint((_FULL - total)[:, None] * np.cumsum(shares, axis=1)).astype(np.int64)
    return np.asarray(np.clip(100 - np.diff(cuts, axis=1, prepend=0), 0, 100))


def _where(present: np.ndarray, answers: np.ndarray) -> list[Answers | None]:
    return [row if there else None for there, row in zip(present.tolist(), answers.tolist(), strict=True)]
