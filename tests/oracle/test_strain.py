"""Sections 4.3 to 4.5 of docs/rules.md. In: events of one case. Out: what is known of it, worked out on paper."""

from copy import deepcopy
from math import log
from typing import Any

import pytest

from tests.oracle.acceptance import Record, accept
from tests.oracle.episodes import flag_id_of, number_of
from tests.oracle.history import counting, framed
from tests.oracle.instruments import load
from tests.oracle.levels import BETWEEN_VARIANCE, Level, usual
from tests.oracle.messages import SESSION, action, checkin, closed, held, missed, scores
from tests.oracle.strain import Strain
from tests.oracle.timeline import Timeline, timelines

INSTRUMENTS = load()
FOUR = ("trust", "empathy", "goals", "communication")
OTHER = {**SESSION, "therapist_id": "t2", "team": "south"}
FLAG = flag_id_of("c1", number_of("k"))


def timeline_of(log: list[Record]) -> Timeline:
    (timeline,) = timelines(counting(framed(accept(log, INSTRUMENTS).accepted)), INSTRUMENTS).values()
    return timeline


def strain_of(*log: Record) -> Strain:
    return timeline_of([*log]).strain


def of_therapist(*values: float) -> list[Record]:
    return scores(*values, rater="therapist")


def wai(day: float, *values: int, **changes: Any) -> Record:
    """The answers of wai-sr/1, which has no finer ones; the first again where there are fewer than twelve."""
    answers = {f"i{place + 1:02}": value for place, value in enumerate([*values, *values[:1] * (12 - len(values))])}
    return checkin(day, 0.5, instrument="wai-sr/1", answers=answers, **changes)


def opening(**changes: Any) -> list[Record]:
    return [checkin(0, 0.45, checkin_id="k", **changes)]


def test_a_session_without_a_clients_checkin_is_judged_when_the_next_one_begins() -> None:
    strain = strain_of(held(0, "s1"), held(1, "s2"))
    # u = 6 x 0.3 / 6: C 0.0875 x 1.132075, W 0.1625 x 1.875, then once more a session begins.
    assert (strain.sessions, strain.unanswered, strain.judged, strain.missing) == (2, "s2", 1, 1)
    assert strain.odds.against == pytest.approx(0.8 * 0.0990566 + 0.0875)
    assert strain.odds.away == pytest.approx(0.8 * 0.3046875 + 0.1625)


def test_or_when_an_appointment_is_missed_by_whomever() -> None:
    strain = strain_of(held(0, "s1"), missed(1, by="therapist"), missed(2, by="unknown"), held(3, "s2"))
    assert (strain.judged, strain.missing, strain.missing_in_a_row) == (1, 1, 1)
    assert strain.odds.signs["response_style"] == 0


def test_an_appointment_that_the_client_missed_is_evidence_and_lets_time_pass() -> None:
    strain = strain_of(missed(0))
    # v = 0.07: W 0.1625 x 2.631579 = 0.427632, h = 0.427632 / 0.515132, ln 2.631579 = 0.967584
    assert (strain.odds.against, strain.odds.away) == pytest.approx((0.0875, 0.4276316), abs=1e-7)
    assert strain.odds.signs["response_style"] == pytest.approx(0.803230, abs=1e-6)
    assert (strain.sessions, strain.missed) == (0, 1)


def test_the_more_appointments_a_client_misses_the_less_each_counts() -> None:
    # v = 2.4 / 21 = 0.114286, 3 / 1.228571 = 2.441860: C 0.07 + 0.0875, W (0.342105 + 0.1625) x 2.441860,
    # h = 0.886662; 0.8 x 0.803231 + 0.886662 x 0.892760
    strain = strain_of(missed(0), missed(1))
    assert (strain.odds.against, strain.odds.away) == pytest.approx((0.1575, 1.2321756), abs=1e-7)
    assert strain.odds.signs["response_style"] == pytest.approx(1.4341631, abs=1e-6)


def test_sessions_held_are_appointments_that_were_kept() -> None:
    # v = 1.4 / 24 = 0.058333
    log = scores(0.9, 0.9, 0.9, 0.9)
    before, after = strain_of(*log), strain_of(*log, missed(4))
    assert after.odds.away == pytest.approx((0.8 * before.odds.away + 0.65) * 2.6865672, rel=1e-6)


def test_an_appointment_is_missed_once() -> None:
    again = missed(1, data={**SESSION, "session_id": "m@0", "by": "client"})
    once, twice = strain_of(missed(0)), strain_of(missed(0), again)
    assert (twice.missed, twice.odds) == (1, once.odds)
    # Who missed it is what the first one says.
    assert strain_of(missed(0, by="unknown"), again).missed == 0
    # What the second one judges is judged all the same.
    judged = strain_of(held(0, "s1"), missed(0), held(1, "s2"), again)
    assert (judged.judged, judged.missing, judged.missed) == (2, 2, 1)


def test_a_therapists_checkin_is_no_answer_of_the_client() -> None:
    log = [held(0, "s1"), checkin(0.1, 0.9, "s1", rater="therapist"), held(1, "s2")]
    assert strain_of(*log).missing == 1
    assert strain_of(log[0], checkin(0.2, 0.9, "s1"), log[2]).missing == 0


def test_an_answer_counts_against_missing_also_without_a_total_and_also_late() -> None:
    # 1/1.06 and 1/1.6; without a total nothing else happens.
    strain = strain_of(checkin(0, 0.9, answers={"trust": 9}))
    assert (strain.odds.against, strain.odds.away) == pytest.approx((0.0875 / 1.06, 0.1625 / 1.6))
    assert (strain.judged, strain.missing, strain.checkins, strain.unanswered) == (1, 0, 0, None)
    late = strain_of(held(0, "s1"), held(1, "s2"), checkin(2, 0.9, "s1"))
    assert (late.judged, late.missing, late.missing_in_a_row, late.unanswered) == (2, 1, 0, "s2")
    # A late check-in counts for the newest session.
    assert late.client.t == 2


def test_a_first_usual_check_in_updates_the_baseline_by_its_weight() -> None:
    strain = strain_of(checkin(0, 0.94))
    assert (strain.answered, strain.invariant, strain.checkins) == (1, 0, 1)
    assert strain.client.count == pytest.approx(strain.odds.probability_unstrained)
    assert strain.shares.weight == pytest.approx(strain.odds.probability_unstrained)
    assert strain.client.a == pytest.approx(strain.odds.probability_unstrained * 0.7251948 * -0.0005, abs=1e-9)


def test_a_check_in_with_invariant_answers_is_evidence_and_its_ingredients_are_not() -> None:
    invariant = strain_of(checkin(0, 0.9, answers=dict.fromkeys(FOUR, 9)))
    assert (invariant.invariant, invariant.odds.signs["ingredient"], invariant.shares.weight) == (1, 0, 0)
    # 0.3 / 0.04785 = 6.269592. z = -0.369232, score ratios 0.636478 and 1.028507:
    # C 0.0825472 x 0.636478, W 0.1015625 x 1.028507 x 6.269592, h = 0.925734; h x ln 6.269592
    assert invariant.odds.signs["response_style"] == pytest.approx(1.6993798, abs=1e-5)
    assert strain_of(*scores(0.9, 0.9, answers={"trust": 9, "empathy": 8, "goals": 9})).invariant == 1


def test_a_client_who_always_gives_the_same_answers_is_not_withdrawing() -> None:
    alike = [checkin(day, score, answers=dict.fromkeys(FOUR, 10 * score)) for day, score in enumerate((0.9, 0.8, 0.9))]
    first, second, third = (strain_of(*alike[:count]) for count in (1, 2, 3))
    # After one invariant check-in f = 0.852, so another one has no weight, and the effect of the first one fades.
    assert second.odds.signs["response_style"] == pytest.approx(0.8 * first.odds.signs["response_style"])
    assert third.odds.signs["response_style"] == pytest.approx(0.64 * first.odds.signs["response_style"])
    assert third.invariant == 3
    # Nor do other answers then count against a withdrawal: 0.4 / 0.148 is more than 1.
    assert strain_of(alike[0], checkin(1, 0.8)).odds.signs["response_style"] == pytest.approx(
        0.8 * first.odds.signs["response_style"]
    )


def test_on_a_coarse_instrument_check_ins_are_the_same_by_chance() -> None:
    # f = 0.235: 0.3 / 0.235 = 1.276596
    coarse = strain_of(wai(0, 4))
    h = coarse.odds.away / (coarse.odds.against + coarse.odds.away)
    assert coarse.invariant == 1
    assert coarse.odds.signs["response_style"] == pytest.approx(h * log(1.2765957), abs=1e-7)


def test_the_ceiling_of_a_coarse_instrument_hides_more() -> None:
    # e = 0.515716, z = -0.542623: Q0 0.706305, Q1 0.233511: C 0.0825472 x 0.330610, W 0.1015625,
    # h = 0.788202; 0.211798 x ln 0.330610
    top = strain_of(wai(0, 5))
    assert top.latest is not None
    assert (top.latest.deviation, top.latest.expected.ceiling_from) == (0, 0.88)
    assert top.odds.signs["score"] == pytest.approx(-0.2344216, abs=1e-6)
    # 0.9405 was expected, so a score of 0.9167 is below it.
    assert strain_of(wai(0, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5)).odds.signs["score"] < 0


def test_an_ingredient_of_a_coarse_instrument_has_its_grain() -> None:
    # One item of the goals one step down: the mean loss is 0.0625 / 4 and less than the answer_step 0.0625.
    assert strain_of(wai(0, 5, 5, 5, 4, 5, 5, 5, 5, 5, 5, 5, 5)).shares.weight == 0
    # The goals two steps down in each of their items: 0.5 / 4 is more.
    strain = strain_of(wai(0, 5, 5, 5, 3, 5, 3, 5, 3, 5, 5, 3, 5))
    # ln 0.5625 and three times ln 0.0625, less their mean: three quarters and a quarter of ln 9
    assert strain.latest is not None
    assert strain.latest.shares == pytest.approx([-0.25 * log(9)] * 2 + [0.75 * log(9), -0.25 * log(9)])


def test_another_therapist_opens_the_level_again() -> None:
    log = scores(0.9, 0.9, 0.9)
    known = strain_of(*log).client
    assert known.p < BETWEEN_VARIANCE
    for moved in (held(3, data={**OTHER, "session_id": "x"}), checkin(3, 0.9, rater="therapist", therapist_id="t2")):
        client = strain_of(*log, moved).client
        assert (client.p, client.q, client.a, client.count) == (BETWEEN_VARIANCE, known.q, known.a, known.count)
    # The therapist of a missed appointment has not worked with the client.
    assert strain_of(*log, missed(3, "t2"), held(4, "x")).client.p == known.p
    assert strain_of(held(0, data={**OTHER, "session_id": "x"})).client.p == BETWEEN_VARIANCE


def test_it_is_open_before_the_first_score_for_the_other_therapist() -> None:
    log = scores(0.9, 0.9, 0.9)
    known = deepcopy(strain_of(*log).client)
    expected = strain_of(*log, checkin(3, 0.9, therapist_id="t2")).latest
    assert expected is not None
    known.widen()
    assert expected.expected.sd == known.predict(4).sd > 0.09


def test_from_096_on_a_check_in_is_not_judged_and_at_the_ceiling_it_has_no_shares() -> None:
    alike = dict.fromkeys(("trust", "empathy", "goals"), 9.6)
    strain = strain_of(checkin(0, 0.96, answers=alike))
    assert (strain.invariant, strain.odds.signs["response_style"], strain.answered) == (0, 0, 1)
    assert strain.shares.weight > 0
    top = strain_of(checkin(0, 1.0))
    assert (top.shares.weight, top.answered, top.client.count > 0.9) == (0, 1, True)
    assert top.latest is not None
    assert top.latest.deviation == pytest.approx(0.5424523, abs=1e-6)


def test_a_slide_grows_once_the_client_is_known() -> None:
    assert strain_of(*scores(0.9, 0.9, 0.8)).slide == 0
    known = strain_of(*scores(0.9, 0.9, 0.9, 0.83))
    assert known.latest is not None
    assert known.slide == pytest.approx(-known.latest.deviation - 0.5)
    assert strain_of(*scores(0.9, 0.9, 0.9, 0.83, 0.97)).slide == 0


def test_a_check_in_filled_in_from_right_to_left_changes_nothing_but_the_number_of_checkins() -> None:
    before, after = strain_of(*scores(0.9, 0.9, 0.9)), strain_of(*scores(0.9, 0.9, 0.9, 0.1))
    assert after.latest is not None
    assert (after.latest.is_scale_reversed, after.checkins, after.answered) == (True, 4, 3)
    assert (after.client.count, after.client.a) == (before.client.count, before.client.a)
    assert (after.last_answers, after.odds.signs["score"]) == (before.last_answers, 0)
    twice = strain_of(*scores(0.9, 0.9, 0.9, 0.1, 0.1))
    assert twice.latest is not None
    assert not twice.latest.is_scale_reversed


@pytest.mark.parametrize(("score", "is_scale_reversed"), [(0.5, False), (0.4975, False), (0.4, False), (0.33, True)])
def test_only_a_low_score_that_would_be_usual_from_the_other_end_is_on_a_reversed_scale(
    score: float, is_scale_reversed: bool
) -> None:
    # sd 0.109687, expected 0.9405: the image of 0.4 is -3.1 SD off, that of 0.33 -2.47.
    strain = strain_of(checkin(0, score))
    assert strain.latest is not None
    assert strain.latest.is_scale_reversed == is_scale_reversed


def test_a_therapists_checkins_are_evidence_from_the_fourth_on() -> None:
    assert strain_of(*of_therapist(0.9, 0.9, 0.5)).odds.signs["therapist"] == 0
    assert strain_of(*of_therapist(0.9, 0.9, 0.9, 0.5)).odds.signs["therapist"] > 1
    assert strain_of(*of_therapist(0.9, 0.9, 0.9, 1.0)).odds.signs["therapist"] == 0


def test_a_therapists_unusual_score_updates_the_level_less() -> None:
    # z = -1.37 and -3.20
    assert strain_of(*of_therapist(0.79)).therapists["t1"].count == 1
    assert strain_of(*of_therapist(0.59)).therapists["t1"].count == 0.3


def test_each_therapist_has_a_level_and_a_number_of_checkins() -> None:
    log = [*of_therapist(0.9, 0.9, 0.9), *scores(0.5, since=3, rater="therapist", therapist_id="t2")]
    strain = strain_of(*log)
    # The first of t2 is not weighed, and taken for what it is: z = (0.5 - 0.9495) / 0.109687 = -4.0980
    assert strain.odds.signs["therapist"] == 0
    assert strain.latest_of_therapist is not None
    assert strain.latest_of_therapist[:2] == ("t2", "s@3")
    assert strain.latest_of_therapist[2] == pytest.approx(-4.0980223, abs=1e-6)
    assert (strain.therapists["t1"].count, strain.therapists["t2"].count) == (3, 0.3)
    assert strain.therapist_checkins == {"t1": 3, "t2": 1}
    # Back with t1 it is the fourth.
    assert strain_of(*log, checkin(4, 0.5, rater="therapist")).odds.signs["therapist"] > 1


def test_at_the_ceiling_a_therapists_deviation_is_that_of_the_score() -> None:
    # (1 - 0.9405) / 0.1114955, not that of the edge
    strain = strain_of(wai(0, 5, rater="therapist"))
    assert strain.latest_of_therapist is not None
    assert strain.latest_of_therapist[2] == pytest.approx(0.5336537, abs=1e-6)


def test_a_therapists_level_is_that_of_the_checkins_session() -> None:
    late = strain_of(held(0, "s1"), held(1, "s2"), checkin(2, 0.9, "s1", rater="therapist"))
    assert (late.therapists["t1"].t, late.sessions) == (1, 2)


#: Three scores that teach a level (p < Vb) before the opening at day 0; the drop is urgent, the target is about 0.85.
KNOWN = scores(0.9, 0.9, 0.9, since=-3)


def assert_opened_again(before: Level, after: Level) -> None:
    """Everything that was known is kept, and open again; nothing of the episode is learned."""
    assert before.p < after.p == BETWEEN_VARIANCE
    assert (after.a, after.b, after.q, after.count) == (before.a, before.b, before.q, before.count)


def test_an_episodes_end_settles_the_odds_and_unless_repaired_the_level_is_open() -> None:
    episode, ended = strain_of(*KNOWN, *opening()), strain_of(*KNOWN, *opening(), closed(1))
    assert episode.odds.evidence > 3
    assert episode.slide > 0
    assert (ended.odds.against, ended.odds.away, set(ended.odds.signs.values()), ended.slide) == (0, 0, {0}, 0)
    # A single low score is not enough for a new baseline.
    assert_opened_again(episode.client, ended.client)
    repaired = timeline_of(scores(0.45, 0.9, 0.9))
    assert repaired.episodes.flags[0].status == "repaired"
    assert (repaired.strain.client.p, repaired.strain.client.level) == pytest.approx((0.008725, usual(3)))
    repaired = timeline_of([*KNOWN, *opening(), *scores(0.9, 0.9, since=1)])
    assert repaired.episodes.flags[0].status == "repaired"
    assert repaired.strain.client.p == episode.client.p


THREE_LOW = [*opening(), *scores(0.8, 0.8, since=1)]
ENDS = [closed(3), action(3, "dismissed", FLAG)]


@pytest.mark.parametrize("end", ENDS)
def test_every_score_of_the_episode_updates_the_baseline_when_it_ends(end: Record) -> None:
    # 0.45 at session 1: A = 0.725195, d = -0.4905: a = -0.355708, b = -0.134792, p = 0.008725 x 0.274805.
    # 0.8 at session 2: expected 0.547354, sd 0.0646804; A = (0.00239768 - 0.00071930) / 0.00418355 = 0.401184,
    # d = 0.252646: a = -0.355708 + 0.101357, p = 0.00239768 - 0.401184^2 x 0.00418355 = 0.00172434.
    # 0.8 at session 3: expected 0.725405, sd 0.0620775, A = 0.313222, d = 0.074596: a = -0.254351 + 0.023365,
    # p = 0.00172434 - 0.313222^2 x 0.00385362.
    client = strain_of(*THREE_LOW, end).client
    assert (client.a, client.b, client.p) == pytest.approx((-0.2309857, 0.0844857, 0.00134627), abs=1e-7)
    assert (client.count, client.t) == (3, 3)
    # What was known before is gone; from the fourth session on it is the same with m = 0.9495, 0.9525, 0.9555.
    again = strain_of(*KNOWN, *THREE_LOW, end).client
    assert (again.a, again.b, again.p) == pytest.approx((-0.2385970, 0.0830970, 0.00134627), abs=1e-7)
    assert (again.count, again.t) == (3, 6)


@pytest.mark.parametrize("end", ENDS)
def test_two_scores_are_too_few_to_hold_the_case_against_them(end: Record) -> None:
    two = [*KNOWN, *opening(), checkin(1, 0.45)]
    assert_opened_again(strain_of(*two).client, strain_of(*two, end).client)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("last", [(0.8, 0.9), (0.9, 0.8)])
def test_nor_are_three_with_one_of_the_last_two_back_at_the_target(last: tuple[float, float], end: Record) -> None:
    back = [*KNOWN, *opening(), *scores(*last, since=1)]
    assert_opened_again(strain_of(*back).client, strain_of(*back, end).client)
    # It is the last two that tell.
    assert strain_of(*KNOWN, *opening(), *scores(0.9, 0.8, 0.8, since=1), closed(4)).client.count == 4


def test_a_score_at_the_target_itself_is_not_under_it() -> None:
    # Low opens at the sixth; its target is the cut-off, 0.8.
    low = scores(*[0.7] * 7)
    assert timeline_of(low).episodes.flags[0].leading.target == 0.8
    at_it = [*low, checkin(7, 0.8)]
    assert_opened_again(strain_of(*at_it).client, strain_of(*at_it, closed(8)).client)
    assert strain_of(*low, checkin(7, 0.7975), closed(8)).client.count == 3


def test_an_episode_that_ends_unrepaired_includes_the_checkin_that_ended_it() -> None:
    timeline = timeline_of([*opening(), *scores(*[0.8] * 6, since=1)])
    assert timeline.episodes.flags[0].status == "unrepaired"
    assert (timeline.strain.client.count, timeline.strain.client.t) == (7, 7)
    # The one that ended it is also one of the last two.
    timeline = timeline_of([*opening(), *scores(*[0.8] * 5, 0.9, since=1)])
    assert timeline.episodes.flags[0].status == "unrepaired"
    assert timeline.strain.client.count == 0


@pytest.mark.parametrize(
    "change",
    [
        [],
        [held(1.5, data={**OTHER, "session_id": "s@2"})],
        [checkin(1.5, 0.9, "s@2", rater="therapist", therapist_id="t2")],
    ],
)
def test_after_a_change_of_therapist_within_the_episode_its_scores_are_those_from_there_on(
    change: list[Record],
) -> None:
    # The two before the change do not count: two with t2 are too few.
    log = [*opening(), checkin(1, 0.8), *change, *scores(0.8, 0.8, 0.8, since=2, therapist_id="t2")]
    two = strain_of(*log[:-1], closed(6)).client
    assert (two.a, two.p, two.count) == (0, BETWEEN_VARIANCE, 0)
    # Three are learned alone, at their own sessions 3 to 5: d = -0.1465, -0.0311813, -0.0245247 and A as above.
    three = strain_of(*log, closed(6)).client
    assert (three.a, three.b, three.p) == pytest.approx((-0.1264321, -0.0260679, 0.00134627), abs=1e-7)
    assert (three.count, three.t) == (3, 5)


def test_a_change_of_therapist_at_the_opening_or_at_an_end_is_none_within_the_episode_or_comes_first() -> None:
    # The check-in that opens the flag is the first with t2, and counts.
    client = strain_of(*KNOWN, *opening(therapist_id="t2"), *scores(0.8, 0.8, since=1, therapist_id="t2"), closed(3))
    assert client.client.count == 3
    # The session of day 6 is the sixth counted, judged when that of day 7 begins; but first the therapist has changed.
    log = [*opening(), *scores(*[0.8] * 5, since=1), held(6, "s6")]
    same, other = (timeline_of([*log, held(7, data={**who, "session_id": "s7"})]) for who in (SESSION, OTHER))
    assert same.episodes.flags[0].status == other.episodes.flags[0].status == "unrepaired"
    assert (same.strain.client.count, other.strain.client.count) == (6, 0)
    # And back again is a change as well.
    back = [*THREE_LOW, checkin(3, 0.8, therapist_id="t2"), *scores(0.8, 0.8, since=4)]
    assert strain_of(*back, closed(6)).client.count == 0
    assert strain_of(*back, checkin(6, 0.8), action(7, "dismissed", FLAG)).client.count == 3


def test_a_reversed_scale_or_a_missing_total_does_not_update_the_baseline_when_an_episode_ends() -> None:
    only = strain_of(*THREE_LOW, closed(6)).client
    reversed_scale, unscored = checkin(3, 0.1), checkin(4, 0.9, answers={"trust": 9})
    assert only.count == 3
    assert strain_of(*THREE_LOW, reversed_scale, unscored, closed(6)).client == only
    # Nor does it count among the three, or as one of the last two.
    latest = strain_of(*THREE_LOW[:-1], reversed_scale).latest
    assert latest is not None
    assert latest.is_scale_reversed
    assert strain_of(*THREE_LOW[:-1], reversed_scale, unscored, closed(6)).client.count == 0
    assert strain_of(*opening(), *scores(0.8, 0.9, since=1), reversed_scale, unscored, closed(6)).client.count == 0


def test_a_late_check_in_of_an_episode_updates_the_baseline_at_its_own_session() -> None:
    log = [held(-2, "s1"), held(-1, "s2"), *opening(session_id="s1"), *scores(0.8, 0.8, since=1)]
    late = strain_of(*log, closed(3))
    # m(1) = 0.9405 was expected, not m(2), and two sessions are between it and the next: 0.5786607, sd 0.0725602,
    # A = 0.4144143; then 0.7207627, sd 0.0611595, A = 0.2794902.
    assert (late.client.a, late.client.b, late.client.t) == pytest.approx((-0.2418358, 0.0923358, 4), abs=1e-7)


def test_all_check_ins_of_an_episode_update_the_baseline_by_the_instrument_of_the_latest_one() -> None:
    strain = strain_of(*opening(), checkin(1, 0.8), wai(2, 4), closed(3))
    # The first with rounding: 0.008725 / 0.01243125 x -0.4905 = -0.344262. Then 0.8 where 0.560101 is expected,
    # sd 0.0695418, A = 0.393939; then 0.75 where 0.722667 is, sd 0.0664437, A = 0.304164.
    assert (strain.client.a, strain.client.p) == pytest.approx((-0.2414434, 0.00144234), abs=1e-7)
    # Also if that one is on a reversed scale and not learned itself: the third is 0.8.
    strain = strain_of(*THREE_LOW, wai(3, 1), closed(4))
    assert strain.latest is not None
    assert strain.latest.is_scale_reversed
    assert (strain.client.a, strain.client.p) == pytest.approx((-0.2262352, 0.00144234), abs=1e-7)
    assert strain_of(*THREE_LOW, closed(4)).client.a == pytest.approx(-0.2309857, abs=1e-7)


def test_an_episode_without_a_score_leaves_the_level_open_and_keeps_the_rest() -> None:
    silent = [*scores(*[0.92] * 4), *(held(day, f"s{day}") for day in range(4, 11))]
    before, after = timeline_of(silent).strain.client, timeline_of([*silent, closed(11)])
    assert after.episodes.flags[0].status == "unrepaired"
    client = after.strain.client
    assert before.p < client.p == BETWEEN_VARIANCE
    assert (client.a, client.q, client.count, client.t) == (before.a, before.q, before.count, before.t)


def test_a_check_in_with_only_muted_kinds_updates_the_baseline_by_its_weight() -> None:
    # The withdrawal is muted by its end, and is reported again at a check-in with invariant answers.
    away = [*(missed(day) for day in range(7)), closed(7), *(missed(day) for day in range(10, 22))]
    timeline = timeline_of([*away, checkin(30, 0.9, answers=dict.fromkeys(FOUR, 9))])
    assert [flag.kinds for flag in timeline.episodes.flags] == [["withdrawal"]]
    assert timeline.episodes.muted == {"withdrawal"}
    assert timeline.strain.odds.evidence > 3
    # The case is not rebaselining: the score counts as evidence, and learned with less than 1 / (1 + 0.03 e^3) = 0.624.
    assert timeline.strain.odds.signs["score"] != 0
    assert timeline.strain.client.count == pytest.approx(timeline.strain.odds.probability_unstrained)
    assert timeline.strain.client.count < 0.624
    # So is one that only a muted low speaks at, after the seven of its episode.
    timeline = timeline_of(scores(*[0.7] * 13))
    assert [flag.kinds for flag in timeline.episodes.flags] == [["low"]]
    assert timeline.strain.client.count == pytest.approx(7 + timeline.strain.odds.probability_unstrained)


def test_drop_and_waning_are_muted_together() -> None:
    timeline = timeline_of([*opening(), closed(1)])
    assert (timeline.episodes.flags[0].kinds, timeline.episodes.muted) == (["drop"], {"drop", "waning"})
    # Five usual scores, then eight steps down of 0.02: the last one takes the slide over 5.
    falling = [0.9] * 5 + [0.88, 0.86, 0.84, 0.82, 0.8, 0.78, 0.76, 0.74]
    timeline = timeline_of([*scores(*falling), closed(13)])
    assert (timeline.episodes.flags[0].kinds, timeline.episodes.muted) == (["waning"], {"drop", "waning"})
    # Not by a repair, nor by another kind.
    assert timeline_of(scores(0.45, 0.9, 0.9)).episodes.muted == set()
    assert timeline_of([*scores(*[0.7] * 6), closed(6)]).episodes.muted == {"low"}


def test_while_rebaselining_a_score_moves_neither_slide_nor_sign_and_updates_the_baseline_fully() -> None:
    # After the end p = Vb: at session 2 z = (0.45 - 0.9435) / 0.1096871, a = 0.7251948 x -0.4935.
    strain = strain_of(*opening(), closed(1), checkin(2, 0.45))
    assert strain.latest is not None
    assert strain.latest.is_rebaselining
    assert strain.latest.deviation == pytest.approx(-4.499164, abs=1e-6)
    assert (strain.slide, strain.odds.signs["score"], strain.odds.signs["earlier"]) == (0, 0, 0)
    assert strain.client.a == pytest.approx(-0.3578836, abs=1e-7)
    assert (strain.client.count, strain.shares.weight, strain.answered) == (1, 1, 2)
    # What is not of the score is weighed as ever.
    assert strain.odds.signs["response_style"] < 0
    assert strain.odds.probability_unstrained < 1


def test_a_known_client_does_not_slide_while_the_case_is_rebaselining() -> None:
    ended = [*KNOWN, *opening(), closed(1)]
    before, accepted = strain_of(*ended), strain_of(*ended, checkin(2, 0.7))
    assert before.client.count > 2
    assert accepted.latest is not None
    assert accepted.latest.deviation < -1.5
    assert (accepted.slide, accepted.odds.signs["score"]) == (0, 0)
    assert accepted.client.count == pytest.approx(before.client.count + 1)
    # The drop is not reported, so at the next one the case is no longer rebaselining.
    following = strain_of(*ended, *scores(0.7, 0.6, since=2))
    assert following.latest is not None
    assert not following.latest.is_rebaselining
    assert following.slide == pytest.approx(-following.latest.deviation - 0.5)
    assert following.odds.signs["score"] > 0


def test_while_rebaselining_a_score_at_the_ceiling_counts_for_the_response_style_only() -> None:
    top = strain_of(*KNOWN, *opening(), closed(1), checkin(2, 1.0))
    assert (top.odds.signs["score"], top.slide) == (0, 0)
    assert top.odds.signs["response_style"] != 0


def test_the_case_is_not_rebaselining_while_a_flag_is_live() -> None:
    strain = strain_of(*opening(), closed(1), *scores(0.45, 0.2, 0.2, since=2))
    assert strain.latest is not None
    assert not strain.latest.is_rebaselining
    assert strain.odds.signs["score"] > 1.5
    # The drop is muted by its end; whether the case is rebaselining depends on the flag of the withdrawal.
    muted = [*opening(), closed(1), *(missed(day) for day in range(2, 12))]
    living, over = strain_of(*muted, checkin(13, 0.45)), strain_of(*muted, closed(12), checkin(13, 0.45))
    assert living.latest is not None
    assert over.latest is not None
    assert (living.latest.is_rebaselining, over.latest.is_rebaselining) == (False, True)
    assert living.odds.signs["score"] > 1.5
