"""A therapist's figures: the newest summary of each case counts, whatever the order."""

from datetime import UTC, datetime

import msgspec

from pipeline.core import therapist
from schemas.summaries import CaseSummary

AT = datetime(2026, 1, 5, tzinfo=UTC)


def a_summary(case_id: str = "c-1", version: int = 1, score: float | None = 0.9, **overrides: object) -> CaseSummary:
    summary = CaseSummary(
        case_id=case_id,
        therapist_id="t-1",
        team="north",
        version=version,
        status="active",
        last_event_at=AT,
        score=score,
        ingredients={} if score is None else {"trust": score},
        scored_at=AT,
    )
    return msgspec.structs.replace(summary, **overrides)


def after(*summaries: CaseSummary) -> therapist.TherapistState:
    state: therapist.TherapistState | None = None
    for summary in summaries:
        state, _ = therapist.step(state, summary)
    assert state is not None
    return state


def test_an_older_summary_that_comes_later_changes_nothing() -> None:
    state = after(a_summary(version=5, score=0.4))
    again, is_new = therapist.step(state, a_summary(version=4, score=0.9))
    assert not is_new
    assert (again.score_points, again.version) == (0.4, 5)


def test_the_figures_kept_up_to_date_equal_those_counted_from_scratch() -> None:
    state = after(
        a_summary(version=1, score=0.1),
        a_summary("c-2", 3, 0.7),
        a_summary(version=2, score=0.3),
        a_summary("c-2", 4, 0.7, status="closed"),
        a_summary("c-3", 1, None),
    )
    again = therapist.decode("t-1", therapist.encode(state))
    assert therapist.summary_of(again) == therapist.summary_of(state)
    assert (again.scored_cases, again.score_points, again.version) == (1, 0.3, 7)
    assert again.ingredient_points == {"trust": 0.3}


def test_an_ingredient_that_no_scored_case_has_any_more_is_not_there() -> None:
    only = a_summary(version=1, score=0.5)
    state = after(only, a_summary(version=2, score=0.5, ingredients={"goals": 0.0}))
    assert state.ingredient_points == {"goals": 0.0}


def test_of_an_erased_case_only_its_version_stays() -> None:
    state = after(a_summary("the-case", 5), a_summary("the-case", 6, None, status="erased", ingredients={}))
    assert b"the-case" not in therapist.encode(state)
    assert (state.version, state.scored_cases) == (6, 0)
    assert not therapist.step(state, a_summary("the-case", 5))[1]


def test_a_case_without_a_score_contributes_nothing_to_a_publication() -> None:
    state = after(*(a_summary(f"c-{number}", 1, 0.8) for number in range(5)))
    assert state.published is not None
    before = state.published
    for number in range(5, 9):
        state, _ = therapist.step(state, a_summary(f"c-{number}", 1, None))
    state, _ = therapist.step(state, a_summary("c-0", 2, 0.2))
    assert state.published == before, "one client's change must not show"


def test_a_case_whose_score_comes_and_goes_again_contributes_nothing() -> None:
    state = after(*(a_summary(f"c-{number}", 1, 0.8) for number in range(5)))
    before = state.published
    for number in range(5, 9):
        state, _ = therapist.step(state, a_summary(f"c-{number}", 1, 0.5))
        state, _ = therapist.step(state, a_summary(f"c-{number}", 2, None))
        if number == 7:
            break
    state, _ = therapist.step(state, a_summary("c-0", 2, 0.2))
    state, _ = therapist.step(state, a_summary("c-1", 2, 0.2))
    assert state.published == before
