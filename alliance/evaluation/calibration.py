"""A practice's own prior, estimated from its history.

In: the scored client check-ins of many cases, and how many sessions were held, answered and missed. Out: variance
components with their standard errors and the `Prior` made of them; or why no prior can be made.
Never: a figure of a single case or therapist in the result; a clock; a random number.

Method: maximum likelihood of the model in `pipeline.core.detection.level` (random level, AR(1) residual, ceiling as
censoring) by its one-step predictions. Each score is with probability 0.02 an outlier, uniform over the range, so
that answers on a reversed scale and ruptures do not widen the estimate; a score moves the level with the probability
that it is not an outlier.
If there are too few data, or if the model does not describe them, no prior is made: see `_too_little` and `_unfit`.
The maximum is found by the simplex of Nelder and Mead (1965), Comput. J. 7:308; standard errors by a delete-a-group
jackknife over cases; the part between therapists by one-way analysis of variance of the case levels. Units: shares of
the range.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import atanh, erfc, exp, isfinite, log, pi, sqrt, tanh

from pipeline.core.detection.level import CEILING, Level, normal_sf
from pipeline.core.detection.prior import (
    DEFAULT_MODEL,
    DEFAULT_PRIOR,
    MeasurementModel,
    Prior,
    decode_prior,
    encode_prior,
)

# Limits without a source are working values.

FEWEST_CHECKINS = 400
#: Cases with at least two scored check-ins.
FEWEST_CASES = 80
FEWEST_THERAPISTS = 5
#: Scored check-ins below the best possible score; a score at the ceiling says only "at least this".
FEWEST_BELOW_CEILING = 100
#: If there are more cases, only every second, third ... is used, to limit the time of the search.
MOST_CASES = 1500
#: See the method above.
OUTLIER_SHARE = 0.02
#: If a greater share of the scores are outliers to the model, it does not describe them.
MOST_OUTLIERS = 0.1
#: Scores spread evenly over the whole range have an SD of 0.29; no rupture could be distinguished from such changes.
MOST_WITHIN_SD = 0.25
#: The number of groups that the jackknife leaves out, one at a time.
GROUPS = 8
#: The bounds of the search: below this SD, or above this correlation, the components cannot be separated.
_LEAST_SD, _MOST_AUTOCORRELATION = 0.005, 0.9
#: Steps of the simplex: from the shipped prior, and for each jackknife group from the estimate.
_ROUNDS, _ROUNDS_AGAIN = 220, 60
#: No spread is estimated finer than one step of a fine scale.
_INSTRUMENT_FLOOR = 0.01
_INSTEAD = "No prior was made. Without one of your own, the shipped prior is used."
#: A prior does not fit if the mean is off by more than this many standard errors and this many within-case SDs.
MISFIT_ERRORS, MISFIT_SDS = 2.0, 0.5
#: With fewer cases the standard error of the mean is itself too uncertain.
FEWEST_CASES_TO_JUDGE = 10

Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CaseScores:
    """One case: its therapist, (session number, score 0-1) in order, and its appointments.

    `model` says how coarse the answers are, not what is expected.
    """

    therapist_id: str
    scores: tuple[tuple[int, float], ...]
    sessions_held: int
    sessions_answered: int
    missed_by_client: int
    model: MeasurementModel = DEFAULT_MODEL


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its standard error."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result. With a `refusal` (one sentence), `prior` is the shipped one and `components` is empty."""

    prior: Prior
    components: dict[str, Estimate]
    cases: int
    checkins: int
    therapists: int
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Misfit:
    """The mean of a practice's scores, and what a prior expects of it, both under the ceiling."""

    observed: float
    expected: float
    checkins: int


def calibrate(cases: Iterable[CaseScores]) -> Calibration:
    """Estimate a practice's prior; the same cases in any order give the same figures."""
    known = sorted((case for case in cases if case.scores), key=lambda case: (case.therapist_id, case.scores))
    checkins = sum(len(case.scores) for case in known)
    therapists = len({case.therapist_id for case in known})

    def refused(why: str) -> Calibration:
        return Calibration(DEFAULT_PRIOR, {}, len(known), checkins, therapists, f"{why} {_INSTEAD}")

    too_little = _too_little(known, checkins)
    if too_little is not None:
        return refused(too_little)
    used = known[:: -(-len(known) // MOST_CASES)]
    start = _vector(DEFAULT_PRIOR)
    best, is_settled = _maximum(used, start, 0.15, _ROUNDS)
    if not is_settled or best == start:
        return refused("The estimate did not converge: the scores carry too little information about the model.")
    groups = _without_each_group(used)
    spread = _jackknife([_maximum(group, best, 0.05, _ROUNDS_AGAIN)[0] for group in groups])
    prior = _prior(best, _share_missing(known), _share_missed(known))
    components = _components(best, spread, known, prior)
    unfit = _unfit(used, prior, components)
    if unfit is not None:
        return refused(unfit)
    return Calibration(prior, components, len(known), checkins, therapists)


def misfit(cases: Iterable[CaseScores], prior: Prior) -> Misfit | None:
    """The mean score and what a prior expects, if the difference is neither chance nor too small to matter; else None.

    Not chance: more than `MISFIT_ERRORS` standard errors, over cases. Matters: more than `MISFIT_SDS` within-case SDs.
    """
    known = [case.scores for case in cases if case.scores]
    checkins = sum(len(scores) for scores in known)
    if len(known) < FEWEST_CASES_TO_JUDGE:
        return None
    observed = sum(score for scores in known for _, score in scores) / checkins
    expected = sum(_expected(number, prior) for scores in known for number, _ in scores) / checkins
    difference = observed - expected
    off = [sum(score - _expected(number, prior) - difference for number, score in scores) for scores in known]
    error = sqrt(sum(of_case * of_case for of_case in off)) / checkins
    if abs(difference) > max(MISFIT_ERRORS * error, MISFIT_SDS * prior.within_sd):
        return Misfit(observed, expected, checkins)
    return None


def _expected(session_number: int, prior: Prior) -> float:
    """Mean of a score that the ceiling cuts off at 1: E min(1, Y), Y ~ N(mean, Vb + Vw)."""
    mean, sd = prior.mean(session_number), sqrt(prior.between_variance + prior.within_variance)
    z = (mean - 1.0) / sd
    return mean - sd * (exp(-0.5 * z * z) / sqrt(2 * pi) + z * 0.5 * erfc(-z * sqrt(0.5)))


def calibration_text(found: Calibration) -> str:
    """The result as plain text; scores as shares of the range."""
    rows = [
        f"{_counted(found.cases, 'case')} with {_counted(found.checkins, 'scored check-in')}, "
        f"{_counted(found.therapists, 'therapist')}"
    ]
    if found.refusal is not None:
        return "\n".join([*rows, found.refusal])
    rows.append(f"{'':24}{'estimate':>10}{'SE':>10}{'shipped':>10}")
    shipped = {
        "between_sd": sqrt(DEFAULT_PRIOR.between_variance),
        "within_sd": DEFAULT_PRIOR.within_sd,
        "between_therapists_sd": 1.0 / 40,
    }
    for name, estimate in found.components.items():
        usual = shipped.get(name, getattr(DEFAULT_PRIOR, name, 0.0))
        rows.append(f"{name:24}{estimate.value:10.4f}{estimate.standard_error:10.4f}{usual:10.4f}")
    return "\n".join(rows)


def _too_little(cases: Sequence[CaseScores], checkins: int) -> str | None:
    """Why there are too few scores, in one sentence; None if there are enough."""
    repeated = sum(len(case.scores) > 1 for case in cases)
    if checkins < FEWEST_CHECKINS or repeated < FEWEST_CASES:
        have = f"{_counted(checkins, 'scored check-in')} and {_counted(repeated, 'case')} with at least two"
        return f"{have} are too few: {FEWEST_CHECKINS} and {FEWEST_CASES} are needed."
    scores = [score for case in cases for _, score in case.scores]
    if min(scores) == max(scores):
        return "The scores do not vary: every check-in has the same one."
    below = sum(score < CEILING for score in scores)
    if below < FEWEST_BELOW_CEILING:
        return (
            f"Too few scores are below the best possible one: {below} of {checkins} check-ins; "
            f"{FEWEST_BELOW_CEILING} are needed."
        )
    return None


def _unfit(cases: Sequence[CaseScores], prior: Prior, components: dict[str, Estimate]) -> str | None:
    """Why this estimate cannot be trusted, in one sentence; None if it can."""
    outliers = sum(_likelihood(case, prior)[1] for case in cases) / sum(len(case.scores) for case in cases)
    if outliers > MOST_OUTLIERS:
        return f"The model does not describe these scores: {outliers:.0%} of them are outliers to it."
    if components["between_sd"].value <= _LEAST_SD * 1.001:
        return "The scores hardly differ between cases, or there are too few data to estimate by how much."
    if components["within_sd"].value <= _LEAST_SD * 1.001:
        return "The scores hardly vary within a case."
    if components["within_sd"].value > MOST_WITHIN_SD:
        return f"Within a case the scores vary by {prior.within_sd:.0%} of the range (SD), almost like random answers."
    if prior.autocorrelation >= _MOST_AUTOCORRELATION:
        return "Each score of a case almost determines the next one: the autocorrelation cannot be estimated."
    for name, estimate in components.items():
        if not isfinite(estimate.standard_error) or estimate.standard_error <= 0:
            return f"The standard error of {name} cannot be estimated from these scores."
    try:
        decode_prior(encode_prior(prior))
    except ValueError as error:
        return f"The estimate cannot be used as a prior. {error}"
    return None


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _without_each_group(cases: Sequence[CaseScores]) -> list[list[CaseScores]]:
    return [[case for index, case in enumerate(cases) if index % GROUPS != group] for group in range(GROUPS)]


def _vector(prior: Prior) -> Vector:
    """Free parameters: mean, growth over ten sessions, log SDs, autocorrelation as Fisher's z."""
    return (
        prior.first_mean,
        prior.growth_per_session * 10,
        0.5 * log(prior.between_variance),
        0.5 * log(prior.within_variance),
        atanh(prior.autocorrelation),
    )


def _prior(vector: Vector, missing: float = DEFAULT_PRIOR.missing_share, missed: float = 0.07) -> Prior:
    first, growth, between, within, correlation = vector
    return Prior(
        first_mean=first,
        growth_per_session=growth / 10,
        between_variance=max(exp(between), _LEAST_SD) ** 2,
        within_variance=max(exp(within), _LEAST_SD) ** 2,
        autocorrelation=min(max(tanh(correlation), 0.0), _MOST_AUTOCORRELATION),
        missing_share=missing,
        missed_share=missed,
    )


def _cost(cases: Sequence[CaseScores], vector: Vector) -> float:
    """Minus the log-likelihood."""
    if not -1.0 < vector[0] < 3.0 or max(abs(value) for value in vector) > 8.0:
        return 1e12
    prior = _prior(vector)
    return -sum(_likelihood(case, prior)[0] for case in cases)


def _likelihood(case: CaseScores, prior: Prior) -> tuple[float, float]:
    """The log-likelihood, and the expected number of outliers among the scores."""
    level, total, outliers = Level(prior), 0.0, 0.0
    edge, rounding = case.model.ceiling_from, case.model.rounding_variance
    for number, score in case.scores:
        expected, spread = level.predict(number, _INSTRUMENT_FLOOR, rounding)
        z = (score - expected) / spread
        if score >= CEILING:
            total += log((1 - OUTLIER_SHARE) * normal_sf((edge - expected) / spread) + OUTLIER_SHARE)
            weight = 1.0
        else:
            usual = (1 - OUTLIER_SHARE) * exp(-0.5 * min(z * z, 500.0)) / (spread * sqrt(2 * pi))
            total += log(usual + OUTLIER_SHARE)
            weight = usual / (usual + OUTLIER_SHARE)
        level.update(score, expected, spread, weight, edge)
        outliers += 1.0 - weight
    return total, outliers


def _maximum(cases: Sequence[CaseScores], start: Vector, step: float, rounds: int) -> tuple[Vector, bool]:
    """Nelder and Mead's simplex from `start`: the best corner, and whether the search has converged."""

    def cost(vector: Vector) -> float:
        return _cost(cases, vector)

    simplex = [(cost(start), start)]
    for index in range(len(start)):
        moved = tuple(value + (step if place == index else 0.0) for place, value in enumerate(start))
        simplex.append((cost(moved), moved))
    for _ in range(rounds):
        simplex.sort()
        if simplex[-1][0] - simplex[0][0] < 1e-3:
            return simplex[0][1], True
        _move(simplex, cost)
    return min(simplex)[1], False


def _move(simplex: list[tuple[float, Vector]], cost: Callable[[Vector], float]) -> None:
    """One step: reflect the worst corner, and stretch, shorten or shrink."""
    worst = simplex[-1]
    count = len(simplex) - 1
    centre = tuple(sum(corner[place] for _, corner in simplex[:-1]) / count for place in range(len(worst[1])))

    def at(distance: float) -> tuple[float, Vector]:
        corner = tuple(c + distance * (w - c) for c, w in zip(centre, worst[1], strict=True))
        return cost(corner), corner

    reflected = at(-1.0)
    if reflected < simplex[0]:
        simplex[-1] = min(reflected, at(-2.0))
    elif reflected < simplex[-2]:
        simplex[-1] = reflected
    else:
        shortened = at(0.5) if reflected >= worst else at(-0.5)
        if shortened < min(worst, reflected):
            simplex[-1] = shortened
        else:
            best = simplex[0][1]
            for index in range(1, len(simplex)):
                corner = tuple(b + 0.5 * (c - b) for b, c in zip(best, simplex[index][1], strict=True))
                simplex[index] = (cost(corner), corner)


def _jackknife(estimates: Sequence[Vector]) -> Vector:
    """Standard error of each parameter, from estimates that leave out one group each."""
    count = len(estimates)
    errors = []
    for values in zip(*estimates, strict=True):
        mean = sum(values) / count
        errors.append(sqrt((count - 1) / count * sum((value - mean) ** 2 for value in values)))
    return tuple(errors)


def _components(best: Vector, spread: Vector, cases: Sequence[CaseScores], prior: Prior) -> dict[str, Estimate]:
    first, growth, between, within, _ = spread
    between_sd, within_sd = sqrt(prior.between_variance), sqrt(prior.within_variance)
    components = {
        "first_mean": Estimate(prior.first_mean, first),
        "growth_per_session": Estimate(prior.growth_per_session, growth / 10),
        "between_sd": Estimate(between_sd, between_sd * between),
        "within_sd": Estimate(within_sd, within_sd * within),
        "autocorrelation": Estimate(prior.autocorrelation, spread[4] * (1 - tanh(best[4]) ** 2)),
        "missing_share": Estimate(prior.missing_share, _binomial_error(prior.missing_share, cases)),
        "missed_share": Estimate(prior.missed_share, _binomial_error(prior.missed_share, cases)),
    }
    therapists = _between_therapists(cases, prior)
    if therapists is not None:
        components["between_therapists_sd"] = therapists
    return components


def _share_missing(cases: Sequence[CaseScores]) -> float:
    held, answered = sum(case.sessions_held for case in cases), sum(case.sessions_answered for case in cases)
    return min(max((held - answered) / max(held, 1), 0.01), 0.9)


def _share_missed(cases: Sequence[CaseScores]) -> float:
    held, missed = sum(case.sessions_held for case in cases), sum(case.missed_by_client for case in cases)
    return min(max(missed / max(held + missed, 1), 0.01), 0.5)


def _binomial_error(share: float, cases: Sequence[CaseScores]) -> float:
    return sqrt(share * (1 - share) / max(sum(case.sessions_held for case in cases), 1))


def _between_therapists(cases: Sequence[CaseScores], prior: Prior) -> Estimate | None:
    """SD between therapists of their cases' levels (analysis of variance); its error by the delta method."""
    levels: dict[str, list[float]] = {}
    for case in cases:
        levels.setdefault(case.therapist_id, []).append(_unshrunk_level(case, prior))
    groups = [values for values in levels.values() if len(values) > 1]
    if len(groups) < FEWEST_THERAPISTS:
        return None
    count = sum(len(values) for values in groups)
    means = [sum(values) / len(values) for values in groups]
    grand = sum(sum(values) for values in groups) / count
    within = sum((value - mean) ** 2 for values, mean in zip(groups, means, strict=True) for value in values)
    within /= count - len(groups)
    between = sum(len(values) * (mean - grand) ** 2 for values, mean in zip(groups, means, strict=True))
    between /= len(groups) - 1
    size = (count - sum(len(values) ** 2 for values in groups) / count) / (len(groups) - 1)
    variance = max((between - within) / size, 0.0)
    error = sqrt(2 * (between**2 / (len(groups) - 1) + within**2 / (count - len(groups)))) / size
    sd = sqrt(variance)
    return Estimate(sd, error / (2 * sd) if sd > 0 else sqrt(error))


def _unshrunk_level(case: CaseScores, prior: Prior) -> float:
    """The level's posterior mean divided by its reliability, so that short cases are not shrunk towards the mean."""
    level = Level(prior)
    edge, rounding = case.model.ceiling_from, case.model.rounding_variance
    for number, score in case.scores:
        expected, spread = level.predict(number, _INSTRUMENT_FLOOR, rounding)
        level.update(score, expected, spread, 1.0 if score - expected > -3 * spread else 0.0, edge)
    reliability = 1 - level.level_variance / prior.between_variance
    return level.level / max(reliability, 0.2)
