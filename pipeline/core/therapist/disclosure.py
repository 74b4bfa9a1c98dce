"""Disclosure control: what may be shown of a therapist.

In: case summaries, one by one. Out: the score figures that may be published now.
Never: let anything be computed about fewer than `FEWEST_CONTRIBUTORS` clients from all that was ever published.

A figure is the total or one ingredient. It is published only for at least `FEWEST_CASES` cases that have it, and as a
mean rounded to `STEP`. A running mean and a count that move with each check-in would give away every one of them:
x_new = n*m_n - (n-1)*m_(n-1). So a figure moves only when at least `FEWEST_CONTRIBUTORS` of its cases bring a *new
check-in*: one that no published figure of any therapist has included before.

Figures take turns, one moves at a time. A total is the mean of its ingredients, and some instruments give two
ingredients the same items. Figures that moved together could be subtracted from each other until only the one case was
left whose check-in was answered differently. Why turns are enough: take any sum and difference of published figures,
and in it the figure that was published last. Its three new check-ins are in none of the others, so nothing cancels
them.

The sequence of publications follows the order of the log, so it stays out of the store (docs/decisions/0005).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from pipeline.core.instants import to_us
from schemas.summaries import CaseSummary, Publication

# Working values of minimum cell size, minimum change and rounding; docs/decisions/0005 says what they cost.
FEWEST_CASES = 5
FEWEST_CONTRIBUTORS = 3
STEP = 0.01
#: A figure that could move waits for one that is due and lacks new check-ins, but only while this many new check-ins
#: arrive.
PATIENCE = 6
#: The figure that every scored case has; the others have the names of their ingredients.
TOTAL = "total"
#: Scores have six decimals, so their sums are exact in whole millionths, whatever the order.
MILLION = 1_000_000


@dataclass(slots=True)
class PublicationState:
    """What was published of a therapist, and which cases bring a new check-in since."""

    published: Publication | None = None
    #: Cases whose latest check-in was given to this therapist and is in no published figure; with its time.
    contributors: dict[str, int] = field(default_factory=dict)
    #: For each case the time of the newest check-in that a published figure has included.
    included_until: dict[str, int] = field(default_factory=dict)
    #: The figures that were published, in the order in which they moved last; newest at the end.
    turns: list[str] = field(default_factory=list)
    #: New check-ins since a figure moved.
    waited: int = 0

    def note(self, key: str, known: CaseSummary | None, summary: CaseSummary) -> None:
        """Whether the case brings a new check-in from now on; the same check-in never counts as new twice."""
        if summary.status == "erased":
            self.included_until.pop(key, None)
        given_at = scored_at(summary)
        if given_at is not None and self.contributors.get(key) == given_at:
            return
        self.contributors.pop(key, None)
        if given_at is None or given_at <= self.included_until.get(key, given_at - 1):
            return
        if _was_given_here(known, summary):
            self.contributors[key] = given_at
            self.waited += 1

    def publish(self, cases: Mapping[str, CaseSummary], counts: Mapping[str, int], sums: Mapping[str, int]) -> None:
        """Take back what has too few cases; move the figure that is due, if one may move.

        `counts`, `sums`: for each figure its cases and the sum of their scores in millionths.
        """
        self.published = still_shown(self.published, counts)
        if self.published is None:
            self.turns = []
        figure = figure_due(counts, self._new_checkins(cases), self.turns, self.waited)
        if figure is not None:
            self.published = with_figure(self.published, figure, counts[figure], sums[figure] / MILLION)
            self.turns = [*(other for other in self.turns if other != figure), figure]
            self.waited = 0
            self._include(cases, figure)

    def _new_checkins(self, cases: Mapping[str, CaseSummary]) -> Counter[str]:
        """Cases that bring a new check-in, by figure."""
        new: Counter[str] = Counter({TOTAL: len(self.contributors)})
        if len(self.contributors) >= FEWEST_CONTRIBUTORS:
            for key in self.contributors:
                new.update(cases[key].ingredients.keys())
        return new

    def _include(self, cases: Mapping[str, CaseSummary], figure: str) -> None:
        """Each check-in in the figure is published now, and is not new for any figure."""
        for key, case in cases.items():
            given_at = scored_at(case)
            if given_at is not None and (figure == TOTAL or figure in case.ingredients):
                self.included_until[key] = max(given_at, self.included_until.get(key, given_at))
                self.contributors.pop(key, None)


def scored_at(case: CaseSummary) -> int | None:
    """When the check-in was given that the case adds to the score figures, in microseconds; None: it adds nothing."""
    if case.status != "active" or case.score is None or case.scored_at is None:
        return None
    return to_us(case.scored_at)


def _was_given_here(known: CaseSummary | None, summary: CaseSummary) -> bool:
    """False if another therapist may have published the check-in: it may have come along with the case."""
    assert summary.scored_at is not None
    if known is None and summary.scored_here:
        # The first summary of a case, however much has happened in it: no figure can have included it.
        return True
    if known is None or known.status == "left":
        return summary.scored_at == summary.last_event_at
    return known.scored_at is None or summary.scored_at > known.scored_at


def figure_due(cases: Mapping[str, int], new: Mapping[str, int], turns: Sequence[str], waited: int) -> str | None:
    """The figure that may move now.

    `cases`, and those with a `new` check-in: by figure; `turns`: in the order in which figures moved last, newest at
    the end; `waited`: new check-ins since then.
    """
    if new[TOTAL] < FEWEST_CONTRIBUTORS:
        return None
    for figure in _in_turn(cases, turns):
        if new[figure] >= FEWEST_CONTRIBUTORS:
            return figure
        if waited < PATIENCE:
            return None
    return None


def _in_turn(cases: Mapping[str, int], turns: Sequence[str]) -> list[str]:
    """Figures with enough cases: first those that never moved, the total first; then the longest unmoved."""
    shown = [figure for figure, number in cases.items() if number >= FEWEST_CASES]
    return sorted(shown, key=lambda figure: (turns.index(figure) if figure in turns else -1, figure != TOTAL, figure))


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
    """What may stay of a publication with these cases by figure; an ingredient without a count is taken back."""
    if published is None or cases[TOTAL] < FEWEST_CASES:
        return None
    stay = [name for name in published.ingredient_scored_cases if cases.get(name, 0) >= FEWEST_CASES]
    if len(stay) == len(published.ingredient_points):
        return published
    return replace(
        published,
        ingredient_points={name: published.ingredient_points[name] for name in stay},
        ingredient_scored_cases={name: published.ingredient_scored_cases[name] for name in stay},
    )


def _coarse(points: float, cases: int) -> float:
    return round(round(points / cases / STEP) * STEP * cases, 4)
