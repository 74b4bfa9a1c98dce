"""What comes after a flag: the same state is not raised again, and a new one is."""

from collections.abc import Sequence

import pytest

from deploy.testbed.builders import Json, a_checkin, a_held, a_missed, an_action
from tests.support.courses import flags_of, steady, uneven


def kinds(events: Sequence[Json]) -> list[tuple[str, int]]:
    return [(flag.kind, flag.session_number) for flag in flags_of(events)]


@pytest.mark.parametrize("level", [6.0, 6.5, 7.0, 7.5])
def test_a_case_that_is_always_low_is_raised_once(level: float) -> None:
    (flag,) = flags_of(steady(1, 200, level))
    assert (flag.kind, flag.status) == ("low", "unrepaired")


def test_a_dismissed_low_is_not_raised_again_before_the_case_was_over_the_cut_off() -> None:
    low = steady(1, 40, 6.0)
    (flag,) = flags_of(low)
    dismissal = an_action("dismissed", flag.flag_id, session=flag.session_number)
    assert [flag.status for flag in flags_of([*low, dismissal])] == ["dismissed"]
    once_over = [*low, dismissal, *steady(41, 41, 8.8), *steady(42, 70, 6.0)]
    assert [flag.kind for flag in flags_of(once_over)].count("low") == 1
    twice_over = [*low, dismissal, *steady(41, 52, 8.8), *steady(53, 90, 6.0)]
    assert "low" in [kind for flag in flags_of(twice_over)[1:] for kind in flag.kinds]


@pytest.mark.parametrize("level", [3.0, 4.0, 4.5, 5.0, 6.0])
def test_the_lower_level_of_a_case_that_stays_down_is_its_new_baseline(level: float) -> None:
    down = [*steady(1, 8, 8.8), *steady(9, 39, level)]
    assert kinds(down)[:1] == [("drop", 9)]
    assert [kind for kind, _ in kinds(down)[1:]] == ["low"]
    further = [*down, *steady(40, 47, level - 2)]
    assert [kind for kind, session in kinds(further) if session in (40, 41, 42)] == ["drop"]
    silent = [*down, *(a_held(session) for session in range(40, 60))]
    assert kinds(silent)[-1][0] == "nonresponse"


def test_the_check_ins_that_repair_a_low_flag_do_not_raise_it_again() -> None:
    low = steady(1, 6, 7.0)
    (flag,) = flags_of([*low, *steady(7, 20, 8.05)])
    assert (flag.kind, flag.status, flag.closed_at is not None) == ("low", "repaired", True)


def test_what_a_supervisor_dismissed_is_not_raised_again_while_nothing_changes() -> None:
    down = [*steady(1, 8, 8.8), *steady(9, 30, 6.0)]
    first = flags_of(down)[0]
    dismissal = an_action("dismissed", first.flag_id, session=9)
    assert [flag.status for flag in flags_of([*down, dismissal]) if flag.kind == "drop"] == ["dismissed"]


@pytest.mark.parametrize("before", [6, 20])
def test_one_low_check_in_is_no_new_baseline(before: int) -> None:
    dip = [*steady(1, before, 9.3), uneven(before + 1, 6.0)]
    (flag,) = flags_of(dip)
    dismissal = an_action("dismissed", flag.flag_id, session=before + 1)
    assert len(flags_of([*dip, dismissal, *steady(before + 2, before + 16, 9.3)])) == 1
    left_out = [a_held(session) for session in range(before + 2, before + 9)]
    (flag,) = flags_of([*dip, *left_out, *steady(before + 9, before + 25, 9.3)])
    assert flag.status == "unrepaired"


def test_after_a_dismissed_dip_and_usual_check_ins_an_equal_dip_is_raised() -> None:
    dip = [*steady(1, 20, 9.3), uneven(21, 6.5)]
    (flag,) = flags_of(dip)
    again = [*dip, an_action("dismissed", flag.flag_id, session=21), *steady(22, 25, 9.3), uneven(26, 6.5)]
    assert kinds(again) == [("drop", 21), ("drop", 26)]


def test_scores_given_to_the_therapist_before_are_no_baseline_with_the_new_one() -> None:
    down = [*steady(1, 8, 8.8), *(uneven(session, 5.0) for session in (9, 10, 11))]
    same = [*down, *(uneven(session, 5.0) for session in (12, 13, 14, 15)), uneven(16, 8.8), uneven(17, 5.0)]
    other = [*down, *(a_held(session, therapist="t-b") for session in range(12, 17))]
    assert [flag.status for flag in flags_of(same)][:1] == ["unrepaired"]
    (flag,) = flags_of([*other, uneven(17, 8.8, therapist="t-b"), uneven(18, 8.8, therapist="t-b")])
    assert flag.status == "unrepaired"


def test_a_silence_that_goes_on_is_raised_once() -> None:
    answered = [event for session in range(1, 11) for event in (a_held(session), uneven(session, 8.8))]
    assert [kind for kind, _ in kinds([*answered, *(a_held(session) for session in range(11, 60))])] == ["nonresponse"]


def test_check_ins_without_a_score_and_missed_appointments_let_an_episode_end() -> None:
    down = [*steady(1, 8, 8.8), uneven(9, 4.0)]
    blank = [a_checkin(session, answers={"trust": None}) for session in range(10, 16)]
    missed = [a_missed(session) for session in range(10, 16)]
    for after in (blank, missed):
        assert [flag.status for flag in flags_of([*down, *after[:5]])] == ["open"]
        assert [flag.status for flag in flags_of([*down, *after])] == ["unrepaired"]
    not_by_the_client = [a_missed(session, by="therapist") for session in range(10, 30)]
    assert [flag.status for flag in flags_of([*down, *not_by_the_client])] == ["open"]


def test_one_appointment_is_missed_once_however_often_it_is_sent() -> None:
    sent = [a_missed(session, id=f"{session}-{again}") for session in (6, 7) for again in range(4)]
    assert kinds([*steady(1, 5, 8.8), *sent]) == []
    assert kinds([*steady(1, 5, 8.8), *(a_missed(session) for session in range(6, 14))])[0][0] == "withdrawal"


def test_a_client_who_has_always_missed_every_third_appointment_is_not_withdrawing() -> None:
    events = [
        a_missed(session) if session % 3 == 0 else uneven(session, 8.8 + 0.1 * (session % 5))
        for session in range(1, 60)
    ]
    assert kinds(events) == []


@pytest.mark.parametrize("score", [7.5, 8.0, 8.5, 9.0])
def test_a_client_who_has_always_answered_flat_is_not_withdrawing(score: float) -> None:
    events = [a_checkin(session, score) for session in range(1, 30)]
    assert [flag.kind for flag in flags_of(events) if flag.kind != "low"] == []


def rated(session: int, level: float, therapist: str) -> Json:
    return uneven(session, level, rater="therapist", id=f"rated-{session}", therapist=therapist)


def test_a_new_therapist_is_not_compared_with_the_ratings_of_the_one_before() -> None:
    events = []
    for session in range(1, 20):
        therapist, level = ("t-a", 9.4) if session < 8 else ("t-b", 7.1)
        events += [uneven(session, 8.8 + 0.1 * (session % 2), therapist=therapist), rated(session, level, therapist)]
    assert kinds(events) == []


def test_a_therapist_who_comes_back_is_known() -> None:
    events = []
    for session in range(1, 12):
        therapist = "t-b" if session == 6 else "t-a"
        level = 5.0 if session == 11 else 8.0
        events += [uneven(session, 8.8 + 0.1 * (session % 2), therapist=therapist), rated(session, level, therapist)]
    assert [kind for kind, _ in kinds(events)] == ["discrepancy"]


def test_with_a_new_therapist_a_first_lower_check_in_is_less_of_a_surprise() -> None:
    same = flags_of([*steady(1, 12, 9.4), uneven(13, 7.9)])
    changed = flags_of([*steady(1, 12, 9.4), uneven(13, 7.9, therapist="t-b")])
    assert [flag.kind for flag in same] == ["drop"]
    assert changed == []


def test_later_kinds_join_the_sentence_and_graver_numbers_the_evidence() -> None:
    both = []
    for session in range(1, 10):
        both += [uneven(session, 8.8 + 0.1 * (session % 2) if session < 9 else 6.5)]
        both += [uneven(session, 8.0, rater="therapist", id=f"rated-{session}")]
    (flag,) = flags_of(both)
    assert flag.kinds[:2] == ["drop", "discrepancy"]
    assert flag.explanation.endswith(
        "; after session 9 the client's score was lower than usual for them, and the therapist's rating was not."
    )
    assert flag.explanation.count(".") == 3  # two decimals and the end
    (watch,) = flags_of([*steady(1, 8, 8.8), uneven(9, 7.1)])
    (graver,) = flags_of([*steady(1, 8, 8.8), uneven(9, 7.1), uneven(10, 5.5)])
    assert (watch.severity, graver.severity) == ("watch", "urgent")
    assert graver.evidence["evidence"] >= graver.evidence["limit"] + 3
    assert graver.evidence["score"] == pytest.approx(0.55)
