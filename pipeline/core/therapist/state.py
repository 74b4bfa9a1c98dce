"""One therapist: the newest summary of each of their cases, and the sums that follow.

In: a therapist's state and one case summary. Out: the new state.
Never: depend on the order in which case summaries arrive (the highest version of each case wins). Only what disclosure
control publishes follows the order of the log.
"""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from pipeline.core.therapist.disclosure import MILLION, TOTAL, PublicationState
from schemas.summaries import CaseSummary


@dataclass(slots=True)
class TherapistState:
    """The newest summary of each case, and what may be shown."""

    therapist_id: str
    #: By a digest of the case_id, so that no id of an erased case stays.
    cases: dict[str, CaseSummary] = field(default_factory=dict)
    publication: PublicationState = field(default_factory=PublicationState)
    #: Derived from `cases` and kept up to date with them: version, scored cases, sums in millionths.
    version: int = 0
    scored_cases: int = 0
    score_millionths: int = 0
    ingredient_millionths: Counter[str] = field(default_factory=Counter)
    ingredient_cases: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for case in self.cases.values():
            self._count(case, 1)

    def replace(self, key: str, known: CaseSummary | None, summary: CaseSummary) -> None:
        """Put a newer summary of a case in the place of the known one."""
        if known is not None:
            self._count(known, -1)
        self._count(summary, 1)
        if summary.status == "erased":
            summary = msgspec.structs.replace(summary, case_id="")
        self.cases[key] = summary

    def publish(self) -> None:
        """Let disclosure control publish the figures that may be shown."""
        self.publication.publish(
            self.cases,
            {TOTAL: self.scored_cases, **self.ingredient_cases},
            {TOTAL: self.score_millionths, **self.ingredient_millionths},
        )

    def _count(self, case: CaseSummary, sign: int) -> None:
        self.version += sign * case.version
        if case.status != "active" or case.score is None:
            return
        self.scored_cases += sign
        self.score_millionths += sign * round(case.score * MILLION)
        for name, score in case.ingredients.items():
            self.ingredient_millionths[name] += sign * round(score * MILLION)
            self.ingredient_cases[name] += sign

    @property
    def score_points(self) -> float:
        """Sum of the latest scores of the scored cases."""
        return self.score_millionths / MILLION

    @property
    def ingredient_points(self) -> dict[str, float]:
        """As `score_points`, for each ingredient that any scored case has."""
        return {name: self.ingredient_millionths[name] / MILLION for name in self.ingredient_scored_cases}

    @property
    def ingredient_scored_cases(self) -> dict[str, int]:
        """How many scored cases have each ingredient that any has."""
        return {name: count for name, count in sorted(self.ingredient_cases.items()) if count}


def step(state: TherapistState | None, summary: CaseSummary) -> tuple[TherapistState, bool]:
    """Apply one case summary; False if it was known or older. The given state is used up.

    Whether figures are published is decided here, summary by summary, so that the sequence of publications follows from
    the log alone. How many summaries of the therapist are then sent does not matter.
    """
    if state is None:
        state = TherapistState(summary.therapist_id)
    key = blake2b(summary.case_id.encode(), digest_size=12).hexdigest()
    known = state.cases.get(key)
    if known is not None and known.version >= summary.version:
        return state, False
    state.publication.note(key, known, summary)
    state.replace(key, known, summary)
    state.publish()
    return state, True
