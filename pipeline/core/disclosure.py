"""Disclosure control: which score figures of a therapist may leave the log.

In: a therapist's exact figures, who contributed since the last publication, and that publication. Out: a publication.
Never: let a single client's check-in be computed from two publications in a row.

Scores appear only with at least `FEWEST_CASES` scored cases, move only when at least `FEWEST_CONTRIBUTORS`
different cases contributed since the last publication, and the mean is rounded to `STEP`. A running mean and a count
that move with every check-in would give away each of them: x_new = n*m_n - (n-1)*m_(n-1).
"""

from collections.abc import Mapping

from schemas.summaries import Publication

FEWEST_CASES = 5
FEWEST_CONTRIBUTORS = 3
STEP = 0.01


def may_publish(scored_cases: int, contributors: int) -> bool:
    """Whether new figures may take the place of the published ones."""
    return scored_cases >= FEWEST_CASES and contributors >= FEWEST_CONTRIBUTORS


def publication(scored_cases: int, points: float, ingredient_points: Mapping[str, float]) -> Publication:
    """The rounded figures; sums are the rounded mean times the number of cases."""
    return Publication(
        scored_cases=scored_cases,
        score_points=_coarse(points, scored_cases),
        ingredient_points={name: _coarse(value, scored_cases) for name, value in ingredient_points.items()},
    )


def _coarse(points: float, cases: int) -> float:
    return round(round(points / cases / STEP) * STEP * cases, 4)
