"""Disclosure control: which score figures of a therapist may leave the log.

In: how many cases each figure has, how many of them bring news, whose turn it is. Out: the figure that may be
published now; publications.
Never: let anything be computed about fewer than `FEWEST_CONTRIBUTORS` clients from all that was ever published.

A figure is the total or one ingredient. It appears only with at least `FEWEST_CASES` cases that have it, and as a mean
rounded to `STEP`. A running mean and a count that move with every check-in would give away each of them:
x_new = n*m_n - (n-1)*m_(n-1). So a figure moves only when at least `FEWEST_CONTRIBUTORS` of its cases bring *news*: a
check-in that has stood in no figure of any therapist before.

Figures take turns, one moves at a time. A total is the mean of its ingredients, and some instruments give two
ingredients the same items; figures that moved together could be set off against each other until only the one case was
left whose form was answered differently. Why turns are enough: take any sum and difference of published figures, and
in it the one that was published last. Its three new check-ins stand in none of the others, so nothing takes them out.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from schemas.summaries import Publication

FEWEST_CASES = 5
FEWEST_CONTRIBUTORS = 3
#: After so many check-ins with news a figure that could move no longer waits for one that is due and lacks news.
PATIENCE = 6
STEP = 0.01
#: The figure that every scored case has; the others are called as their ingredients.
TOTAL = "total"


def figure_due(cases: Mapping[str, int], news: Mapping[str, int], turns: Sequence[str], waited: int) -> str | None:
    """The figure that may move now.

    `cases`, and those with `news`: by figure; `turns`: as they moved last, newest at the end; `waited`: check-ins that
    brought news since then.
    """
    if news[TOTAL] < FEWEST_CONTRIBUTORS:
        return None
    for figure in _in_turn(cases, turns):
        if news[figure] >= FEWEST_CONTRIBUTORS:
            return figure
        if waited < PATIENCE:
            return None
    return None


def _in_turn(cases: Mapping[str, int], turns: Sequence[str]) -> list[str]:
    """Figures with cases enough: first what never moved, the total before the others; then the longest unmoved."""
    shown = [figure for figure, number in cases.items() if number >= FEWEST_CASES]
    return sorted(shown, key=lambda one: (turns.index(one) if one in turns else -1, one != TOTAL, one))


def with_figure(published: Publication | None, figure: str, cases: int, points: float) -> Publication:
    """The publication with one figure moved: its cases, and the rounded mean times their number. The total is first."""
    if figure == TOTAL:
        before = published or Publication(scored_cases=0, score_points=0.0, ingredient_points={})
        return replace(before, scored_cases=cases, score_points=_coarse(points, cases))
    assert published is not None
    return replace(
        published,
        ingredient_points=dict(sorted({**published.ingredient_points, figure: _coarse(points, cases)}.items())),
        ingredient_scored_cases=dict(sorted({**published.ingredient_scored_cases, figure: cases}.items())),
    )


def still_shown(published: Publication | None, cases: Mapping[str, int]) -> Publication | None:
    """What may stay of a publication, now that figures have so many cases; an ingredient without a count goes."""
    if published is None or cases[TOTAL] < FEWEST_CASES:
        return None
    stay = [one for one in published.ingredient_scored_cases if cases.get(one, 0) >= FEWEST_CASES]
    if len(stay) == len(published.ingredient_points):
        return published
    return replace(
        published,
        ingredient_points={one: published.ingredient_points[one] for one in stay},
        ingredient_scored_cases={one: published.ingredient_scored_cases[one] for one in stay},
    )


def _coarse(points: float, cases: int) -> float:
    return round(round(points / cases / STEP) * STEP * cases, 4)
