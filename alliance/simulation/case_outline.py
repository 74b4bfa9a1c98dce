"""The outline of one case: how long, how it ends, whether and where a rupture is planted.

In: the parameters, the therapist and the case's own random numbers. Out: a `CaseOutline`.
Never: a date.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from alliance.simulation.caseload import Therapist
from alliance.simulation.chance import intercept_for, logistic
from alliance.simulation.parameters import PracticeParameters
from schemas.instruments.definition import INGREDIENTS

Ending = Literal["planned", "dropout", "transfer"]


@dataclass(frozen=True, slots=True)
class Rupture:
    """Sessions count from 1. The strain grows over `ramp` sessions and lasts `strained` sessions."""

    kind: Literal["confrontation", "withdrawal"]
    shape: Literal["V", "decline", "unrepaired"]
    onset: int
    ramp: int
    strained: int
    depth: float
    noticed: bool
    ingredient: int

    @property
    def is_repaired(self) -> bool:
        return self.shape != "unrepaired"

    def strain(self, sessions: int) -> np.ndarray:
        """Share of the depth at each session, 0–1."""
        since = np.arange(1, sessions + 1) - self.onset
        grown = np.minimum((since + 1) / self.ramp, 1.0)
        return np.where((since >= 0) & (since < self.strained), grown, 0.0)


@dataclass(frozen=True, slots=True)
class CaseOutline:
    """Sessions are counted; `gap` is in weeks; `client`, `therapist_view` and `items` are effects in SDs."""

    sessions: int
    ending: Ending
    no_shows: int
    gap: float
    successor: float
    client: float
    therapist_view: float
    items: tuple[float, ...]
    rupture: Rupture | None


class CaseOutlines:
    """Draws outlines; its intercept makes the practice's dropout what the parameters say."""

    def __init__(self, parameters: PracticeParameters) -> None:
        self._parameters = parameters
        self._slope = math.log(parameters.dropout_odds_ratio)
        self._intercept = intercept_for(parameters.dropout_share, self._slope, self._dropout_shifts())

    def draw(self, therapist: Therapist, chance: np.random.Generator) -> CaseOutline:
        length, client, view, *items = chance.standard_normal(3 + len(INGREDIENTS)).tolist()
        drops, when, after, no_shows, transfer, successor, gap, *planted = chance.random(16).tolist()
        planned = self._planned_sessions(length)
        rupture = self._plant(planned, planted)
        dropping = drops < logistic(self._dropout_log_odds(therapist, client, rupture))
        sessions = planned
        if dropping:
            sessions = self._sessions_until_dropout(planned, rupture, when, after)
        return CaseOutline(
            sessions=sessions,
            ending="dropout" if dropping else "transfer" if transfer < self._transfer_share else "planned",
            no_shows=int(no_shows * 3),
            gap=-math.log(1 - gap) * self._parameters.gap_weeks,
            successor=successor,
            client=client,
            therapist_view=view,
            items=tuple(items),
            rupture=_ended(rupture, sessions),
        )

    @property
    def _transfer_share(self) -> float:
        return self._parameters.transfer_share if self._parameters.therapists > 1 else 0.0

    @property
    def _least_sessions(self) -> int:
        return self._parameters.rupture_first_session + 1

    def _planned_sessions(self, normal: float) -> int:
        p = self._parameters
        return min(max(1, round(p.planned_median * math.exp(p.planned_log_sd * normal))), p.sessions_most)

    def _plant(self, planned: int, draws: list[float]) -> Rupture | None:
        p = self._parameters
        has, repaired, kind, shape, length, onset, depth, noticed, ingredient = draws
        if planned < self._least_sessions or has >= p.rupture_prevalence:
            return None
        first = p.rupture_first_session
        is_repaired = repaired < p.repaired_share
        ramp, strained = 1 + int(length * 3), planned
        latest = planned - 1
        if is_repaired:
            declines = shape >= p.v_share and planned - first >= 2
            ramp = min(2 + int(length * (p.decline_most - 1)), planned - first) if declines else 1
            strained, latest = ramp, planned - ramp
        return Rupture(
            kind="withdrawal" if kind < p.withdrawal_share else "confrontation",
            shape="unrepaired" if not is_repaired else "V" if ramp == 1 else "decline",
            onset=first + int(onset * (latest - first + 1)),
            ramp=ramp,
            strained=strained,
            depth=p.rupture_depths[int(depth * len(p.rupture_depths))],
            noticed=noticed >= p.unnoticed_share,
            ingredient=int(ingredient * len(INGREDIENTS)),
        )

    def _dropout_log_odds(self, therapist: Therapist, client: float, rupture: Rupture | None) -> float:
        p = self._parameters
        points = p.therapist_sd * therapist.client_rated + p.regime.client_sd * client
        log_odds = self._intercept - self._slope * points / p.between_sd
        if rupture and not rupture.is_repaired:
            log_odds += self._slope * rupture.depth * p.regime.within_sd / p.between_sd
        return log_odds

    def _dropout_shifts(self) -> list[tuple[float, float]]:
        p = self._parameters
        least = math.log((self._least_sessions - 0.5) / p.planned_median) / p.planned_log_sd
        eligible = 0.5 * math.erfc(least / math.sqrt(2))
        unrepaired = eligible * p.rupture_prevalence * (1 - p.repaired_share)
        each = unrepaired / len(p.rupture_depths)
        deeper = [(each, self._slope * d * p.regime.within_sd / p.between_sd) for d in p.rupture_depths]
        return [(1 - unrepaired, 0.0), *deeper]

    def _sessions_until_dropout(self, planned: int, rupture: Rupture | None, when: float, after: float) -> int:
        """Mostly early; in an unrepaired rupture within its first three sessions; never before a repair."""
        early = min(planned, 1 + int(-math.log(1 - when) * self._parameters.dropout_mean))
        if rupture is None:
            return early
        if rupture.is_repaired:
            return max(rupture.onset + rupture.strained, early)
        return min(planned, rupture.onset + int(after * 3))


def _ended(rupture: Rupture | None, sessions: int) -> Rupture | None:
    if rupture is None or rupture.is_repaired:
        return rupture
    return replace(rupture, strained=sessions - rupture.onset + 1)
