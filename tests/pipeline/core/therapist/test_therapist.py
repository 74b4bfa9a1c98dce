"""A therapist's figures: the newest summary of each case counts, whatever the order."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from pipeline.core.therapist import changelog
from pipeline.core.therapist.state import TherapistState, step
from pipeline.core.therapist.summary import summary_of
from schemas.summaries import CaseSummary, Publication

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


def after(*summaries: CaseSummary) -> TherapistState:
    state: TherapistState | None = None
    for summary in summaries:
        state, _ = step(state, summary)
    assert state is not None
    return state


def test_an_older_summary_that_comes_later_changes_nothing() -> None:
    state = after(a_summary(version=5, score=0.4))
    again, is_new = step(state, a_summary(version=4, score=0.9))
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
    again = changelog.decode("t-1", changelog.encode(state))
    assert summary_of(again) == summary_of(state)
    assert (again.scored_cases, again.score_points, again.version) == (1, 0.3, 7)
    assert again.ingredient_points == {"trust": 0.3}
    assert again.ingredient_scored_cases == {"trust": 1}


def test_an_ingredient_that_no_scored_case_has_any_more_is_not_there() -> None:
    only = a_summary(version=1, score=0.5)
    state = after(only, a_summary(version=2, score=0.5, ingredients={"goals": 0.0}))
    assert state.ingredient_points == {"goals": 0.0}
    assert state.ingredient_scored_cases == {"goals": 1}


def test_a_scored_case_without_an_ingredient_is_not_among_the_cases_behind_it() -> None:
    summary = summary_of(
        after(
            a_summary("c-1", score=0.9, ingredients={"trust": 0.9, "goals": 0.3}),
            a_summary("c-2", score=0.7, ingredients={"trust": 0.7}),
        )
    )
    assert (summary.scored_cases, summary.score_points) == (2, 1.6)
    assert summary.ingredient_points == {"goals": 0.3, "trust": 1.6}
    assert summary.ingredient_scored_cases == {"goals": 1, "trust": 2}


def test_of_an_erased_case_only_its_version_stays() -> None:
    state = after(a_summary("the-case", 5), a_summary("the-case", 6, None, status="erased", ingredients={}))
    assert b"the-case" not in changelog.encode(state)
    assert (state.version, state.scored_cases) == (6, 0)
    assert not step(state, a_summary("the-case", 5))[1]


def test_no_time_of_a_check_in_of_an_erased_case_stays() -> None:
    state = after(*(a_summary(f"c-{number}", 1) for number in range(6)))
    assert (len(state.publication.included_until), len(state.publication.contributors)) == (5, 1)
    for number in (0, 5):
        state, _ = step(state, a_summary(f"c-{number}", 2, None, status="erased", ingredients={}))
    assert (len(state.publication.included_until), len(state.publication.contributors)) == (4, 0)


def test_a_case_without_a_score_contributes_nothing_to_a_publication() -> None:
    state = after(*(a_summary(f"c-{number}", 1, 0.8) for number in range(5)))
    assert state.publication.published is not None
    before = state.publication.published
    for number in range(5, 9):
        state, _ = step(state, a_summary(f"c-{number}", 1, None))
    state, _ = step(state, answered_again("c-0", 2))
    assert state.publication.published == before, "one client's change must not show"


def test_a_case_whose_score_comes_and_goes_again_contributes_nothing() -> None:
    state = after(*(a_summary(f"c-{number}", 1, 0.8) for number in range(5)))
    before = state.publication.published
    for number in range(5, 8):
        state, _ = step(state, a_summary(f"c-{number}", 1, 0.5))
        state, _ = step(state, a_summary(f"c-{number}", 2, None))
    state, _ = step(state, answered_again("c-0", 2))
    state, _ = step(state, answered_again("c-1", 2))
    assert state.publication.published == before


def test_the_first_summary_of_a_case_brings_a_new_check_in_if_it_was_given_here() -> None:
    later = AT + timedelta(days=1)
    cases = [a_summary(f"c-{number}", last_event_at=later, scored_here=True) for number in range(5)]
    assert after(*cases).publication.published is not None
    elsewhere = [a_summary(f"c-{number}", last_event_at=later) for number in range(5)]
    assert after(*elsewhere).publication.published is None


def answered_again(case_id: str, version: int, score: float = 0.2) -> CaseSummary:
    at = AT + timedelta(weeks=version)
    return a_summary(case_id, version, score, scored_at=at, last_event_at=at)


def test_what_a_client_leaves_out_is_not_published_of_the_one_who_did_not() -> None:
    """Five clients of whom one alone answers `goals`: that figure would be this client's answer."""
    whole = {"trust": 0.9, "empathy": 0.9, "goals": 0.3, "communication": 0.9}
    partly = {name: score for name, score in whole.items() if name != "goals"}
    state: TherapistState | None = None
    for version in range(1, 13):
        for number in range(5):
            given = whole if number == 4 else partly
            summary = answered_again(f"c-{number}", version, sum(given.values()) / len(given))
            state, _ = step(state, msgspec.structs.replace(summary, ingredients=given))
    assert state is not None
    assert state.publication.published is not None
    assert state.publication.published.ingredient_scored_cases == {"communication": 5, "empathy": 5, "trust": 5}
    assert state.publication.published.ingredient_points == {"communication": 4.5, "empathy": 4.5, "trust": 4.5}


def test_figures_move_in_turn_each_with_three_new_check_ins() -> None:
    state = after(*(a_summary(f"c-{number}", 1, 0.8) for number in range(5)))
    seen = []
    for number in range(6):
        state, _ = step(state, answered_again(f"c-{number % 3}", 2 + number // 3))
        shown = state.publication.published
        assert shown is not None
        seen.append((shown.score_points, shown.ingredient_points.get("trust")))
    assert seen == [(4.0, None), (4.0, None), (4.0, 2.2), (4.0, 2.2), (4.0, 2.2), (2.2, 2.2)]


def test_a_figure_that_is_due_and_lacks_news_does_not_hold_the_total_up_for_ever() -> None:
    state = after(*(a_summary(f"c-{number}", 1, 0.8) for number in range(5)))
    news = [a_summary(f"c-{number}", 1, 0.4, ingredients={}) for number in (5, 6, 7)]
    news += [msgspec.structs.replace(answered_again("c-5", version, 0.4), ingredients={}) for version in (2, 3, 4)]
    seen = []
    for summary in news:
        state, _ = step(state, summary)
        assert state.publication.published is not None
        seen.append((state.publication.published.scored_cases, state.publication.published.score_points))
    assert seen == [(5, 4.0)] * 5 + [(8, 5.2)], "trust was due, and no case brought any"


def test_after_a_crash_the_same_is_published_as_without_one() -> None:
    steps = [answered_again(f"c-{number % 7}", 2 + number // 7, 0.01 * number) for number in range(60)]
    smooth = crashed = after(*(a_summary(f"c-{number}", 1, 0.8) for number in range(7)))
    crashed = changelog.decode("t-1", changelog.encode(crashed))
    seen = set()
    for summary in steps:
        smooth, _ = step(smooth, summary)
        crashed, _ = step(changelog.decode("t-1", changelog.encode(crashed)), summary)
        assert crashed.publication.published == smooth.publication.published
        seen.add(repr(smooth.publication.published))
    assert len(seen) > 10


def in_format_1(state: TherapistState, published: Publication) -> bytes:
    """As versions before ingredients were counted wrote it; `contributors` held digests."""
    return msgspec.msgpack.encode([1, state.cases, published, {next(iter(state.cases)): 17}])


def test_a_state_from_before_ingredients_were_counted_keeps_its_total_and_takes_back_its_ingredients() -> None:
    state = after(*(a_summary(f"c-{number}", 1, 0.8) for number in range(6)))
    old = Publication(scored_cases=6, score_points=4.8, ingredient_points={"trust": 0.3})
    again = changelog.decode("t-1", in_format_1(state, old))
    assert again.publication.published == Publication(scored_cases=6, score_points=4.8, ingredient_points={})
    assert (again.scored_cases, again.ingredient_scored_cases) == (6, {"trust": 6})
    for number in range(2):
        again, _ = step(again, answered_again(f"c-{number}", 2))
    assert again.publication.published == Publication(scored_cases=6, score_points=4.8, ingredient_points={})
    again, _ = step(again, answered_again("c-2", 2))
    assert again.publication.published is not None
    assert again.publication.published.ingredient_scored_cases == {"trust": 6}


def test_a_state_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError, match="format 3"):
        changelog.decode("t-1", msgspec.msgpack.encode([3, {}, None, {}]))
