"""Each kind speaks when it should and holds its peace when it should not."""

import math
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.testbed.builders import START, Json, a_checkin, a_closure, a_held, a_missed
from pipeline.core.detection.detectors import DETECTORS
from pipeline.core.detection.level import Level
from pipeline.core.detection.prior import DEFAULT_PRIOR
from schemas.flags import KINDS
from tests.support.courses import flags_of, steady, uneven


def usual(sessions: int, level: float = 8.8) -> list[Json]:
    return steady(1, sessions, level)


def test_there_is_one_function_for_each_kind_in_the_order_of_the_kinds() -> None:
    assert tuple(detector.__name__ for detector in DETECTORS) == KINDS


def test_a_quiet_case_is_not_flagged() -> None:
    assert flags_of(usual(20)) == []


def test_one_check_in_far_below_is_a_drop() -> None:
    (flag,) = flags_of([*usual(5), uneven(6, 6.0)])
    assert (flag.kind, flag.session_number) == ("drop", 6)


def test_a_slide_of_which_no_step_is_large_is_waning() -> None:
    slide = [uneven(5 + step, 8.8 - 0.4 * step) for step in range(1, 6)]
    (flag,) = flags_of([*usual(5), *slide])
    assert "waning" in flag.kinds


def test_a_level_far_under_the_cut_off_is_low() -> None:
    (flag,) = flags_of([uneven(session, 5.2 + 0.1 * (session % 2)) for session in range(1, 9)])
    assert "low" in flag.kinds


def test_one_ingredient_that_slips_while_the_total_hides_it_is_found() -> None:
    slipped = [
        uneven(6 + more, 8.9, goals=round(6.6 - 0.1 * more, 1), trust=9.6, empathy=9.5, communication=9.4)
        for more in range(3)
    ]
    (flag,) = flags_of([*usual(5), *slipped])
    assert "ingredient" in flag.kinds


def test_flat_answers_that_this_client_never_gave_are_withdrawal() -> None:
    (flag,) = flags_of([*usual(5), a_checkin(6, 9.0)])
    assert flag.kind == "withdrawal"


def test_a_client_who_always_answers_flat_is_not_withdrawing() -> None:
    assert flags_of([a_checkin(session, 9.0) for session in range(1, 15)]) == []


def test_a_client_who_is_always_perfect_is_not_withdrawing() -> None:
    assert flags_of([a_checkin(session, 10.0) for session in range(1, 30)]) == []


def test_held_sessions_without_check_in_become_silence_at_a_later_event() -> None:
    steady = [event for session in range(1, 11) for event in (a_held(session), uneven(session, 8.8))]
    silent = [a_held(session) for session in range(11, 16)]
    assert flags_of([*steady, *silent[:1]]) == []
    (flag,) = flags_of([*steady, *silent])
    assert flag.kind == "nonresponse"


def test_a_client_who_has_never_answered_is_not_silent() -> None:
    assert flags_of([a_held(session) for session in range(1, 30)]) == []


def test_appointments_missed_by_the_client_count_and_others_do_not() -> None:
    missed = [a_missed(session, by="client") for session in (6, 7, 8, 9)]
    others = [a_missed(session, by="therapist") for session in (6, 7, 8, 9)]
    assert [flag.kind for flag in flags_of([*usual(5), *missed])] == ["withdrawal"]
    assert flags_of([*usual(5), *others]) == []


def test_the_client_is_down_and_the_therapist_has_not_noticed() -> None:
    both = [
        event
        for session in range(1, 7)
        for event in (uneven(session, 8.8 + 0.1 * (session % 2)), a_checkin(session, 8.0, rater="therapist"))
    ]
    (flag,) = flags_of([*both, uneven(7, 6.0), a_checkin(7, 8.0, rater="therapist")])
    assert "discrepancy" in flag.kinds


def test_a_check_in_filled_in_from_right_to_left_is_held_back_once() -> None:
    wrong = a_checkin(6, answers={"trust": 1.0, "empathy": 1.4, "goals": 0.7, "communication": 1.2})
    again = a_checkin(7, answers={"trust": 1.1, "empathy": 1.3, "goals": 0.8, "communication": 1.2})
    assert flags_of([*usual(5), wrong, uneven(7, 8.8)]) == []
    assert [flag.kind for flag in flags_of([*usual(5), wrong, again])] == ["drop"]


def test_a_flag_ends_unrepaired_when_check_ins_stop() -> None:
    events = [event for session in range(1, 6) for event in (a_held(session), uneven(session, 8.8))]
    stopped = [a_held(6), uneven(6, 5.5), *(a_held(session) for session in range(7, 16))]
    assert [flag.status for flag in flags_of([*events, *stopped])] == ["unrepaired"]


@pytest.mark.parametrize("score", [0.0, 5.0, 9.7, 10.0])
@pytest.mark.parametrize("count", [1, 2, 200])
def test_constant_scores_are_defined(score: float, count: int) -> None:
    for flag in flags_of([a_checkin(session, score) for session in range(1, count + 1)]):
        assert all(math.isfinite(value) for value in flag.evidence.values())
        assert "nan" not in flag.explanation


def test_a_gap_of_a_year_is_only_a_gap() -> None:
    after = (START + timedelta(days=400)).isoformat().replace("+00:00", "Z")
    assert flags_of([*usual(5), a_closure(5), uneven(6, 8.8) | {"time": after}]) == []


scores = st.lists(st.tuples(st.integers(1, 3), st.floats(0.0, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(scores)
def test_a_level_stays_a_distribution(steps: list[tuple[int, float, float]]) -> None:
    level, number = Level(DEFAULT_PRIOR), 0
    for gap, score, weight in steps:
        number += gap
        expected, spread = level.predict(number, 0.03)
        level.update(score, expected, spread, weight)
        assert math.isfinite(level.level) and math.isfinite(level.residual)
        assert level.level_variance > -1e-12 and level.residual_variance > -1e-12 and spread >= 0.03


def test_a_perfect_score_says_only_that_the_level_is_high() -> None:
    measured, censored = Level(DEFAULT_PRIOR), Level(DEFAULT_PRIOR)
    for level, score in ((measured, 0.999), (censored, 1.0)):
        level.update(score, *level.predict(1, 0.03), 1.0)
    assert censored.level > measured.level
    assert censored.level_variance > measured.level_variance
