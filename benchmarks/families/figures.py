"""Describes a practice's unlabelled history in a few numbers, to compare families with each other and with real data.

In: cases. Out: `Figures`.
Never: look at the planted ruptures.

The spreads between and within clients are estimated without a fit: from a line through normal quantiles below the
ceiling, and from differences between neighbouring forms and between a form and the third after it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from benchmarks.families.case import Case
from benchmarks.families.laws.chance import Array

PERFECT, CUTOFF, STIFF_UNDER = 1 - 1e-9, 0.9, 0.96
#: The bounds of the classes of shortfall, for totals.
SHORTFALLS = (0.0, 0.03, 0.08, 0.18, 1.0)
#: Half a step of the finest answer: an item is taken to lack at least that.
LEAST_LACK = 0.005
FEWEST = 40
_MEAN_RANGE = 1.128
_quantile = NormalDist().inv_cdf


@dataclass(frozen=True, slots=True)
class Figures:
    """One practice in numbers: shares of the range, or of forms, clients or sessions."""

    mean: float
    perfect: float
    between: float
    within: float
    lag: float
    #: By class of shortfall: SD from session to session of an item's log share of the shortfall, and of its offset.
    log_share_sds: tuple[float, ...]
    offset_sds: tuple[float, ...]
    stiff: float
    clients_tenth_stiff: float
    clients_half_stiff: float
    missing: float
    missing_sd: float
    under_cutoff: float
    step: float
    checkins: int
    ruptures: float


def figures(cases: Sequence[Case]) -> Figures:
    """Compute all figures of one practice."""
    answered = [case for case in cases if case.client]
    totals = np.array([_total(answers) for case in cases for answers in case.client.values()])
    between_sd, within_sd, lag = _latent(cases, totals)
    stiff = [flags for case in answered if (flags := list(_stiff(case)))]
    of_client = np.array([sum(flags) / len(flags) for flags in stiff if len(flags) >= 3] or [0.0])
    missing, missing_sd = _missing(cases)
    return Figures(
        mean=float(totals.mean()),
        perfect=float((totals >= PERFECT).mean()),
        between=between_sd,
        within=within_sd,
        lag=lag,
        log_share_sds=_sds_by_shortfall(cases, _log_shares),
        offset_sds=_sds_by_shortfall(cases, _offsets),
        stiff=float(np.mean([flag for flags in stiff for flag in flags])) if stiff else 0.0,
        clients_tenth_stiff=float((of_client >= 0.1).mean()),
        clients_half_stiff=float((of_client >= 0.5).mean()),
        missing=missing,
        missing_sd=missing_sd,
        under_cutoff=float(np.mean([_mean_total(case) < CUTOFF for case in answered])),
        step=cases[0].answer_step,
        checkins=len(totals),
        ruptures=float(np.mean([case.rupture is not None for case in cases])),
    )


def _total(answers: Sequence[float]) -> float:
    return sum(answers) / len(answers)


def _mean_total(case: Case) -> float:
    return float(np.mean([_total(answers) for answers in case.client.values()]))


def _latent(cases: Sequence[Case], totals: Array) -> tuple[float, float, float]:
    """SD between and within clients before the ceiling is applied, and the lag-1 correlation within clients."""
    free = 1 - float((totals >= PERFECT).mean()) - 0.03
    ranks = [tenth / 10 for tenth in range(1, 9) if tenth / 10 < free] or [0.05, 0.1]
    whole_sd = float(np.polyfit([_quantile(rank) for rank in ranks], np.quantile(totals, ranks), 1)[0])
    neighbours, thirds = _mean_difference(cases, 1), _mean_difference(cases, 3)
    within_variance = max(thirds**2, 1e-4)
    between_variance = max(whole_sd**2 - within_variance, 0.25 * within_variance)
    lag = float(np.clip(1 - (neighbours / max(thirds, 1e-6)) ** 2, -0.5, 0.95))
    return between_variance**0.5, within_variance**0.5, lag


def _mean_difference(cases: Sequence[Case], forms_apart: int) -> float:
    """As an SD, from pairs of forms that are not both at the ceiling."""
    differences = []
    for case in cases:
        seen = [(session, _total(case.client[session])) for session in sorted(case.client)]
        for (first, before), (second, after) in zip(seen, seen[forms_apart:], strict=False):
            if max(before, after) < 0.97 and (forms_apart > 1 or second == first + 1):
                differences.append(abs(after - before))
    return float(np.mean(differences)) / _MEAN_RANGE if differences else 0.07


def _log_shares(answers: Array) -> Array:
    lacks = np.maximum(1 - answers, LEAST_LACK)
    return np.asarray(np.log(lacks / lacks.mean(axis=1, keepdims=True)))


def _offsets(answers: Array) -> Array:
    return np.asarray(answers - answers.mean(axis=1, keepdims=True))


def _sds_by_shortfall(cases: Sequence[Case], law: Callable[[Array], Array]) -> tuple[float, ...]:
    """From differences of neighbouring forms in the same class, so that what is usual for the client cancels out."""
    squares: list[list[Array]] = [[] for _ in SHORTFALLS[1:]]
    for case in cases:
        if len(case.client) < 2:
            continue
        answers = np.array([case.client[session] for session in sorted(case.client)])
        values, places = law(answers), np.digitize(1 - answers.mean(axis=1), SHORTFALLS[1:-1])
        for first in range(len(answers) - 1):
            if places[first] == places[first + 1] and answers[first : first + 2].mean(axis=1).max() < PERFECT:
                squares[places[first]].append((values[first + 1] - values[first]) ** 2 / 2)
    return tuple(float(np.mean(some)) ** 0.5 if len(some) >= FEWEST else float("nan") for some in squares)


def _stiff(case: Case) -> Iterator[bool]:
    """For each form under `STIFF_UNDER`: all four alike, or the same as the form before."""
    before: list[float] | None = None
    for session in sorted(case.client):
        answers = case.client[session]
        if _total(answers) < STIFF_UNDER:
            yield max(answers) == min(answers) or answers == before
        before = answers


def _missing(cases: Sequence[Case]) -> tuple[float, float]:
    """Share of sessions without a form, and its SD between therapists with 20 sessions or more."""
    held, gone = defaultdict[str, int](int), defaultdict[str, int](int)
    for case in cases:
        held[case.therapist] += case.held
        gone[case.therapist] += case.held - len(case.client)
    shares = [gone[therapist] / sessions for therapist, sessions in held.items() if sessions >= 20]
    return sum(gone.values()) / sum(held.values()), float(np.std(shares)) if shares else 0.0
