"""Sections 4.3 to 4.5 of docs/rules.md. In: events of one case. Out: what is known of it, worked out by hand."""

import pytest

from tests.oracle.acceptance import Record, accept
from tests.oracle.course import Course, courses
from tests.oracle.history import counting, framed
from tests.oracle.instruments import load
from tests.oracle.levels import usual
from tests.oracle.messages import checkin, closed, held, missed, scores
from tests.oracle.strain import Strain

INSTRUMENTS = load()


def course_of(log: list[Record]) -> Course:
    (course,) = courses(counting(framed(accept(log, INSTRUMENTS).accepted)), INSTRUMENTS).values()
    return course


def strain_of(*log: Record) -> Strain:
    return course_of([*log]).strain


def of_therapist(*values: float) -> list[Record]:
    return scores(*values, rater="therapist")


def test_a_session_without_a_clients_checkin_is_judged_when_the_next_one_begins() -> None:
    strain = strain_of(held(0, "s1"), held(1, "s2"))
    # u = 6 x 0.3 / 6: C 0.0875 x 1.132075, W 0.1625 x 1.875, then once more a session begins.
    assert (strain.sessions, strain.unanswered, strain.judged, strain.missing) == (2, "s2", 1, 1)
    assert strain.odds.against == pytest.approx(0.8 * 0.0990566 + 0.0875)
    assert strain.odds.away == pytest.approx(0.8 * 0.3046875 + 0.1625)


def test_or_when_an_appointment_is_missed_by_whomever() -> None:
    strain = strain_of(held(0, "s1"), missed(1, by="therapist"), missed(2, by="unknown"), held(3, "s2"))
    assert (strain.judged, strain.missing, strain.missing_in_a_row) == (1, 1, 1)
    assert strain.odds.signs["form"] == 0


def test_an_appointment_that_the_client_missed_weighs_and_lets_time_pass() -> None:
    strain = strain_of(missed(0))
    # W 0.1625 x 2.631579 = 0.427632, h = 0.427632 / 0.515132, ln 2.631579 = 0.967584
    assert (strain.odds.against, strain.odds.away) == pytest.approx((0.0875, 0.4276316), abs=1e-7)
    assert strain.odds.signs["form"] == pytest.approx(0.803230, abs=1e-6)
    assert strain.sessions == 0


def test_a_therapists_checkin_is_no_answer_of_the_client() -> None:
    log = [held(0, "s1"), checkin(0.1, 0.9, "s1", rater="therapist"), held(1, "s2")]
    assert strain_of(*log).missing == 1
    assert strain_of(log[0], checkin(0.2, 0.9, "s1"), log[2]).missing == 0


def test_an_answer_weighs_against_missing_also_without_a_total_and_also_late() -> None:
    # 1/1.06 and 1/1.6; without a total nothing else happens.
    strain = strain_of(checkin(0, 0.9, answers={"trust": 9}))
    assert (strain.odds.against, strain.odds.away) == pytest.approx((0.0875 / 1.06, 0.1625 / 1.6))
    assert (strain.judged, strain.missing, strain.checkins, strain.unanswered) == (1, 0, 0, None)
    late = strain_of(held(0, "s1"), held(1, "s2"), checkin(2, 0.9, "s1"))
    assert (late.judged, late.missing, late.missing_in_a_row, late.unanswered) == (2, 1, 0, "s2")
    # A late form stands for the newest session.
    assert late.client.t == 2


def test_a_first_usual_form_is_learned_with_what_it_weighs() -> None:
    strain = strain_of(checkin(0, 0.94))
    assert (strain.forms, strain.stiff_forms, strain.checkins) == (1, 0, 1)
    assert strain.client.count == pytest.approx(strain.odds.usual)
    assert strain.shares.weight == pytest.approx(strain.odds.usual)
    assert strain.client.a == pytest.approx(strain.odds.usual * 0.7251948 * -0.0005, abs=1e-9)


def test_a_stiff_form_weighs_as_such_and_its_ingredients_do_not() -> None:
    stiff = strain_of(checkin(0, 0.9, answers=dict.fromkeys(("trust", "empathy", "goals", "communication"), 9)))
    assert (stiff.stiff_forms, stiff.odds.signs["ingredient"], stiff.shares.weight) == (1, 0, 0)
    assert stiff.odds.signs["form"] > 3  # 0.3 / 0.003 = 100
    assert strain_of(*scores(0.9, 0.9, answers={"trust": 9, "empathy": 8, "goals": 9})).stiff_forms == 1


def test_from_096_on_a_form_is_not_judged_and_at_the_ceiling_it_has_no_shares() -> None:
    alike = dict.fromkeys(("trust", "empathy", "goals"), 9.6)
    strain = strain_of(checkin(0, 0.96, answers=alike))
    assert (strain.stiff_forms, strain.odds.signs["form"], strain.forms) == (0, 0, 1)
    assert strain.shares.weight > 0
    top = strain_of(checkin(0, 1.0))
    assert (top.shares.weight, top.forms, top.client.count > 0.9) == (0, 1, True)
    assert top.latest is not None
    assert top.latest.deviation == pytest.approx(0.5424523, abs=1e-6)


def test_a_slide_grows_once_the_client_is_known() -> None:
    assert strain_of(*scores(0.9, 0.9, 0.8)).slide == 0
    known = strain_of(*scores(0.9, 0.9, 0.9, 0.83))
    assert known.latest is not None
    assert known.slide == pytest.approx(-known.latest.deviation - 0.5)
    assert strain_of(*scores(0.9, 0.9, 0.9, 0.83, 0.97)).slide == 0


def test_a_form_filled_in_from_right_to_left_changes_nothing_but_the_number_of_checkins() -> None:
    before, after = strain_of(*scores(0.9, 0.9, 0.9)), strain_of(*scores(0.9, 0.9, 0.9, 0.1))
    assert after.latest is not None
    assert (after.latest.is_mirrored, after.checkins, after.forms) == (True, 4, 3)
    assert (after.client.count, after.client.a) == (before.client.count, before.client.a)
    assert (after.last_answers, after.odds.signs["score"]) == (before.last_answers, 0)
    twice = strain_of(*scores(0.9, 0.9, 0.9, 0.1, 0.1))
    assert twice.latest is not None
    assert not twice.latest.is_mirrored


@pytest.mark.parametrize(("score", "is_mirrored"), [(0.5, False), (0.4975, False), (0.4, False), (0.33, True)])
def test_only_a_low_form_whose_mirror_image_is_usual_is_mirrored(score: float, is_mirrored: bool) -> None:
    # sd 0.109687, expected 0.9405: the image of 0.4 is -3.1 SD off, that of 0.33 -2.47.
    strain = strain_of(checkin(0, score))
    assert strain.latest is not None
    assert strain.latest.is_mirrored == is_mirrored


def test_a_therapists_checkins_weigh_from_the_fourth_on() -> None:
    assert strain_of(*of_therapist(0.9, 0.9, 0.5)).odds.signs["therapist"] == 0
    assert strain_of(*of_therapist(0.9, 0.9, 0.9, 0.5)).odds.signs["therapist"] > 1
    assert strain_of(*of_therapist(0.9, 0.9, 0.9, 1.0)).odds.signs["therapist"] == 0


def test_a_therapists_unusual_score_is_learned_less() -> None:
    # z = -1.37 and -3.20
    assert strain_of(*of_therapist(0.79)).therapist.count == 1
    assert strain_of(*of_therapist(0.59)).therapist.count == 0.3


def test_a_therapists_level_is_that_of_the_checkins_session() -> None:
    late = strain_of(held(0, "s1"), held(1, "s2"), checkin(2, 0.9, "s1", rater="therapist"))
    assert (late.therapist.t, late.sessions) == (1, 2)


def test_an_episodes_end_settles_the_odds_and_leaves_the_level_open_unless_repaired() -> None:
    opened = scores(0.45)
    episode, ended = strain_of(*opened), strain_of(*opened, closed(1))
    assert episode.odds.evidence > 3
    assert (ended.odds.against, ended.odds.away, set(ended.odds.signs.values()), ended.slide) == (0, 0, {0}, 0)
    assert ended.client.p == pytest.approx(2 * 0.008725)
    assert (ended.client.count, ended.client.a) == (0, 0)
    repaired = course_of(scores(0.45, 0.9, 0.9))
    assert repaired.episodes.flags[0].status == "repaired"
    assert (repaired.strain.client.p, repaired.strain.client.level) == pytest.approx((0.008725, usual(3)))


def test_what_speaks_in_a_case_that_is_not_armed_is_learned_for_what_it_is_worth() -> None:
    course = course_of([*scores(0.45), closed(1), *(missed(day) for day in range(2, 9)), checkin(9, 0.45)])
    assert len(course.episodes.flags) == 1
    assert course.strain.odds.evidence > 3
    assert course.strain.client.count == pytest.approx(course.strain.odds.usual)
