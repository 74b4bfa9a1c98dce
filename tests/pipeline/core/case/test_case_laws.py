"""The laws of a case: order, duplicates and the fast path change nothing."""

import random
from collections.abc import Sequence
from math import isfinite

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.testbed.builders import (
    LATE_MS,
    Json,
    a_checkin,
    a_closure,
    a_held,
    a_missed,
    a_void,
    an_action,
    key_of,
    value_of,
)
from deploy.testbed.in_memory import INSTRUMENTS
from pipeline.core.acceptance import Accepted, accept
from pipeline.core.case import changes
from pipeline.core.case import state as case
from pipeline.core.case.summary import summary_of
from pipeline.core.case.timeline import timeline_of
from pipeline.core.detection.prior import measurement_models
from pipeline.core.records import record_of
from schemas.flags import Flag
from tests.support.histories import histories

MODELS = measurement_models(INSTRUMENTS)


def accepted(event: Json) -> Accepted:
    verdict = accept(value_of(event), key_of(event), LATE_MS, INSTRUMENTS)
    assert isinstance(verdict, Accepted), verdict
    return verdict


def published(events: Sequence[Json]) -> tuple[case.CaseState, dict[str, Flag], list[Flag]]:
    """The state after all events, the latest snapshot of each flag, and every snapshot in order."""
    state: case.State = None
    latest: dict[str, Flag] = {}
    snapshots: list[Flag] = []
    for event in events:
        state, facts = changes.step(state, accepted(event), MODELS)
        for flag in facts.flags:
            assert flag.flag_id not in latest or latest[flag.flag_id].version < flag.version
            latest[flag.flag_id] = flag
            snapshots.append(flag)
    assert isinstance(state, case.CaseState)
    return state, latest, snapshots


def supported(latest: dict[str, Flag]) -> dict[str, Flag]:
    """Flags that the set supports, without what only shows the order of arrival."""
    return {
        flag_id: msgspec.structs.replace(flag, version=0)
        for flag_id, flag in latest.items()
        if flag.status != "retracted"
    }


@settings(max_examples=300, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_any_order_and_any_duplication_give_the_same_flags_and_the_same_summary(
    history: list[Json], chance: random.Random
) -> None:
    shuffled = history + [chance.choice(history) for _ in range(len(history) // 2)]
    chance.shuffle(shuffled)
    in_order, flags_in_order, _ = published(sorted(history, key=lambda event: str(event["time"])))
    disordered, flags_disordered, _ = published(shuffled)
    assert (
        supported(flags_disordered)
        == supported(flags_in_order)
        == in_order.published_flags
        == disordered.published_flags
    )
    assert summary_of(disordered) == summary_of(in_order)


@settings(max_examples=200, deadline=None)
@given(histories())
def test_the_fast_path_equals_the_fold_from_scratch(history: list[Json]) -> None:
    state: case.State = None
    for event in sorted(history, key=lambda event: str(event["time"])):
        state, _ = changes.step(state, accepted(event), MODELS)
        assert isinstance(state, case.CaseState)
        scratch = timeline_of(state.case_id, state.records(), MODELS)
        assert {
            name: flag.snapshot("c-1", 0) for name, flag in scratch.episodes.by_flag_id.items()
        } == state.published_flags
        assert scratch.history == state.timeline.history
        assert scratch.unanswered == state.timeline.unanswered
        assert scratch.days == state.timeline.days
        assert scratch.sessions == state.timeline.sessions
        for name in ("muted_kinds", "over_cutoff", "first_point"):
            assert getattr(scratch.episodes, name) == getattr(state.timeline.episodes, name), name
        for name in ("met", "missed", "is_closed"):
            assert getattr(scratch, name) == getattr(state.timeline, name), name


@settings(max_examples=200, deadline=None)
@given(histories(), st.sampled_from([0.2, 1.0]))
def test_whatever_happens_the_numbers_of_a_flag_are_numbers(history: list[Json], sensitivity: float) -> None:
    records = [record_of(accepted(event)) for event in history]
    for models in (MODELS, {}):
        timeline = timeline_of("c-1", records, models, sensitivity=sensitivity)
        for episode in timeline.episodes.by_flag_id.values():
            flag = episode.snapshot("c-1", 0)
            assert all(isfinite(value) for value in flag.evidence.values())
            assert "nan" not in flag.explanation and "inf" not in flag.explanation
            assert flag.kind in flag.kinds and len(set(flag.kinds)) == len(flag.kinds)


@settings(max_examples=100, deadline=None)
@given(histories())
def test_a_case_survives_its_changelog(history: list[Json]) -> None:
    state, _, _ = published(history)
    again = case.decode(state.case_id, case.encode(state), MODELS)
    assert summary_of(again) == summary_of(state)
    assert again.published_flags == state.published_flags
    assert case.encode(again) == case.encode(state)


@settings(max_examples=100, deadline=None)
@given(histories())
def test_a_duplicate_says_nothing(history: list[Json]) -> None:
    state, _, _ = published(history)
    before = case.encode(state)
    for event in history:
        after, facts = changes.step(state, accepted(event), MODELS)
        assert facts == changes.Changes()
        assert after is state
    assert case.encode(state) == before


def a_quiet_case(sessions: int) -> list[Json]:
    return [a_checkin(session, 9.0) for session in range(1, sessions + 1)]


def test_a_far_lower_check_in_opens_one_flag_and_two_good_ones_repair_it() -> None:
    events = [*a_quiet_case(4), a_checkin(5, 4.0), a_checkin(6, 5.0), a_checkin(7, 9.0), a_checkin(8, 9.0)]
    _, latest, snapshots = published(events)
    assert (snapshots[0].status, snapshots[-1].status) == ("open", "repaired")
    (flag,) = latest.values()
    assert (flag.kind, flag.severity, flag.session_number) == ("drop", "urgent", 5)
    assert flag.opened_at == accepted(a_checkin(5)).event.time
    assert flag.closed_at == accepted(a_checkin(8)).event.time


def test_a_flag_that_stays_down_ends_unrepaired_and_is_not_raised_again() -> None:
    _, latest, snapshots = published([*a_quiet_case(4), *(a_checkin(session, 4.0) for session in range(5, 30))])
    # That the level is under the cut-off is another thing to say, once.
    assert [(flag.kind, flag.status) for flag in latest.values()] == [("drop", "unrepaired"), ("low", "unrepaired")]
    assert (snapshots[0].status, snapshots[-1].status) == ("open", "unrepaired")


def test_closing_the_case_ends_its_flag_unrepaired() -> None:
    _, _, snapshots = published([*a_quiet_case(4), a_checkin(5, 4.0), a_closure(5)])
    assert [flag.status for flag in snapshots] == ["open", "unrepaired"]


def test_a_corrected_check_in_takes_the_flag_back_visibly() -> None:
    wrong = a_checkin(5, 4.0, checkin_id="five")
    right = a_checkin(5, 9.0, checkin_id="five", revision=2, id="five-again", time=a_checkin(6)["time"])
    _, latest, snapshots = published([*a_quiet_case(4), wrong, right])
    assert [flag.status for flag in snapshots] == ["open", "retracted"]
    assert supported(latest) == {}


def test_a_voided_check_in_takes_its_flag_back() -> None:
    wrong = a_checkin(5, 4.0, checkin_id="five")
    _, _, snapshots = published([*a_quiet_case(4), wrong, a_void("five", 5)])
    assert [flag.status for flag in snapshots] == ["open", "retracted"]


def test_people_act_on_a_flag() -> None:
    events = [*a_quiet_case(4), a_checkin(5, 4.0)]
    _, latest, _ = published(events)
    (flag_id,) = latest
    _, _, snapshots = published([*events, an_action("acknowledged", flag_id, 5), an_action("discussed", flag_id, 6)])
    assert [flag.status for flag in snapshots] == ["open", "acknowledged", "acknowledged"]
    assert snapshots[-1].discussed_at is not None
    _, _, snapshots = published([*events, an_action("dismissed", flag_id, 5), a_checkin(6, 9.0), a_checkin(7, 9.0)])
    assert [flag.status for flag in snapshots] == ["open", "dismissed"]


def test_two_contents_under_one_identity_have_one_winner() -> None:
    one, other = a_checkin(1, 9.0), a_checkin(1, 3.0)
    first, _, _ = published([one, other])
    second, _, _ = published([other, one])
    assert summary_of(first) == summary_of(second)
    assert first.version == second.version == 2


def test_a_case_that_moves_says_farewell_to_its_therapist() -> None:
    state, _ = changes.step(None, accepted(a_checkin(1)), MODELS)
    _, facts = changes.step(state, accepted(a_checkin(2, therapist="t-2", team="south")), MODELS)
    assert [(summary.therapist_id, summary.status) for summary in facts.summaries] == [
        ("t-1", "left"),
        ("t-2", "active"),
    ]


def test_sessions_held_without_check_in_are_counted() -> None:
    state, _, _ = published([a_held(1), a_checkin(1), a_held(2), a_missed(3)])
    counts = summary_of(state).days.values()
    assert sum(day.sessions_held for day in counts) == 2
    assert sum(day.checkins_completed for day in counts) == 1
