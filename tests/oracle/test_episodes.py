"""Section 6 of docs/rules.md. In: check-ins, actions, closings. Out: flags and what becomes of them.

A first score of 0.45 is a drop (watch) with the target 0.9405 - 0.0575 = 0.883; a usual score is 0.9.
"""

from itertools import permutations
from typing import Any

import pytest

from tests.oracle.acceptance import Record
from tests.oracle.episodes import flag_id_of, number_of
from tests.oracle.messages import SESSION, action, checkin, closed, held, missed, on, rows, scores, the_row, voided

FLAG = flag_id_of("c1", number_of("k"))
OTHER = {**SESSION, "therapist_id": "t2", "team": "south"}


def opening(day: float = 0, score: float = 0.45) -> list[tuple[bytes | None, bytes | None, int]]:
    return [checkin(day, score, checkin_id="k")]


def test_a_flag_opens_at_the_place_of_the_checkin_with_the_therapist_of_that_moment() -> None:
    log = [*opening(1), held(2, "s2", data=OTHER)]
    row = the_row(log, "flags")
    assert (row["opened_at"], row["updated_at"], row["status"]) == (on(1), on(1), "open")
    assert (row["therapist_id"], row["team"], row["session_number"]) == ("t1", "north", 1)
    assert (row["acknowledged_at"], row["discussed_at"], row["closed_at"]) == (None, None, None)


def test_the_id_of_a_flag_follows_from_case_and_checkin() -> None:
    # Worked out with b2sum -l 64 of "k" and b2sum -l 96 of "c1", NUL, that number in decimal.
    assert FLAG == "f-ae36ed2f159a752ef70cd9ad"
    assert the_row(opening(), "flags")["flag_id"] == FLAG


def test_two_scores_in_a_row_at_the_target_repair() -> None:
    assert the_row([*opening(), *scores(0.9, 0.8, 0.9, since=1)], "flags")["status"] == "open"
    row = the_row([*opening(), *scores(0.9, 0.8, 0.9, 0.885, since=1)], "flags")
    assert (row["status"], row["closed_at"], row["updated_at"]) == ("repaired", on(4), on(4))


def test_the_target_itself_is_enough_and_a_step_below_is_not() -> None:
    # Low: the target is the cut-off, 0.8.
    low = scores(*[0.7] * 6)
    assert the_row(low, "flags")["kinds"] == ["low"]
    assert the_row([*low, *scores(0.8, 0.8, since=6)], "flags")["status"] == "repaired"
    assert the_row([*low, *scores(0.8, 0.7975, since=6)], "flags")["status"] == "open"
    assert the_row([*opening(), *scores(0.9, 0.8825, since=1)], "flags")["status"] == "open"


def test_at_the_sixth_checkin_after_the_opening_one_it_is_unrepaired() -> None:
    assert the_row([*opening(), *scores(*[0.8] * 5, since=1)], "flags")["status"] == "open"
    row = the_row([*opening(), *scores(*[0.8] * 6, since=1)], "flags")
    assert (row["status"], row["closed_at"], row["updated_at"]) == ("unrepaired", on(6), on(6))
    assert the_row([*opening(), *scores(*[0.8] * 4, 0.9, 0.9, since=1)], "flags")["status"] == "repaired"


def test_later_signals_add_kinds_and_raise_the_severity_and_are_changes() -> None:
    log = scores(0.9, 0.9, 0.9, 0.7)
    row = the_row(log, "flags")
    assert (row["severity"], row["kinds"], row["updated_at"]) == ("watch", ["drop"], on(3))
    row = the_row([*log, checkin(4, 0.7), checkin(5, 0.9)], "flags")
    assert (row["severity"], row["kinds"], row["updated_at"]) == ("urgent", ["drop", "waning"], on(4))
    assert (row["kind"], row["evidence"]["score"], row["opened_at"]) == ("drop", 0.7, on(3))


def test_a_graver_signal_joins_its_evidence_to_that_of_the_opening() -> None:
    log = scores(0.9, 0.9, 0.9, 0.7)
    before, after = (the_row(part, "flags")["evidence"] for part in (log, [*log, checkin(4, 0.7)]))
    assert before["evidence"] < 4 < 6 < after["evidence"]
    assert (before["sessions"], after["sessions"], after["checkins"]) == (4, 5, 5)
    # Drop and waning are equally grave: the first in the table raises the severity, the other one only adds its kind.
    assert "slide_limit" not in after
    # A later signal that is not graver leaves the evidence.
    assert the_row([*log, checkin(4, 0.7), checkin(5, 0.7)], "flags")["evidence"] == after


def test_numbers_that_only_the_graver_signal_has_are_added() -> None:
    # Low (watch) at the sixth; then a drop that is a warning.
    log = scores(*[0.7] * 6)
    low, both = (the_row(part, "flags") for part in (log, [*log, checkin(6, 0.5)]))
    assert (low["severity"], low["evidence"].keys()) == ("watch", LOW)
    assert (both["kind"], both["kinds"], both["severity"]) == ("low", ["low", "drop"], "warning")
    # Score and checkins are the drop's now; level, cutoff and probability are those of the opening.
    assert both["evidence"].keys() == LOW | {"evidence", "limit", "own_evidence", "sessions", "expected", "deviation"}
    assert (both["evidence"]["score"], both["evidence"]["checkins"]) == (0.5, 7)
    assert both["evidence"]["level"] == low["evidence"]["level"]
    assert both["rule_name"] == "posterior-level-below-cutoff"


LOW = {"score", "level", "cutoff", "probability", "checkins"}


def unscored(day: float, **changes: Any) -> Record:
    return checkin(day, 0.9, answers={"trust": 9}, **changes)


@pytest.mark.parametrize("what", [missed, unscored])
def test_an_appointment_that_the_client_missed_and_a_check_in_without_a_total_are_counted(what: Any) -> None:
    log = [*opening(), *(what(day) for day in range(1, 7))]
    assert the_row(log[:-1], "flags")["status"] == "open"
    row = the_row(log, "flags")
    assert (row["status"], row["closed_at"]) == ("unrepaired", on(6))
    # Both leave the row.
    row = the_row([*opening(), checkin(1, 0.9), what(2), checkin(3, 0.9)], "flags")
    assert (row["status"], row["closed_at"]) == ("repaired", on(3))


def test_what_others_do_may_add_a_kind_and_is_not_counted() -> None:
    for other in (
        missed(6, by="therapist"),
        missed(6, by="unknown"),
        checkin(6, 0.9, rater="therapist"),
        checkin(6, 0.9, "s@0", rater="therapist", answers={"trust": 9}),
        missed(6, data={**SESSION, "session_id": "m@5", "by": "client"}),
    ):
        log = [*opening(), *(missed(day) for day in range(1, 6)), other]
        assert the_row(log, "flags")["status"] == "open"
        assert the_row([*log, missed(7)], "flags")["status"] == "unrepaired"
    assert the_row([*opening(), missed(1), missed(2)], "flags")["kinds"] == ["drop", "waning"]


def test_one_event_may_be_two_moments_that_are_both_counted() -> None:
    # Each missed appointment also shows that the session before it has stayed without a check-in: twice three.
    log = [*opening(), *(event for day in (1, 2, 3) for event in (held(day, f"s{day}"), missed(day + 0.5)))]
    assert the_row(log[:-1], "flags")["status"] == "open"
    assert (the_row(log, "flags")["status"], the_row(log, "flags")["closed_at"]) == ("unrepaired", on(3.5))


def test_a_check_in_without_a_total_is_asked_about() -> None:
    # Low could not speak while nothing was learned; once dismissed, the four low scores are, and the next event tells.
    log = [*opening(), *scores(0.6, 0.6, 0.6, since=1), action(4, "dismissed", FLAG)]
    assert len(rows(log, "flags")) == 1
    (row,) = [row for row in rows([*log, unscored(5, checkin_id="u")], "flags") if row["flag_id"] != FLAG]
    assert (row["flag_id"], row["kinds"], row["opened_at"]) == (flag_id_of("c1", number_of("u")), ["low"], on(5))
    # It opened the flag, so it is not counted, and there are no scores to learn: five more leave it open.
    more = [unscored(day) for day in range(6, 12)]
    assert rows([*log, unscored(5, checkin_id="u"), *more[:-1]], "flags")[-1]["status"] == "open"
    assert rows([*log, unscored(5, checkin_id="u"), *more], "flags")[-1]["status"] == "unrepaired"


def test_a_session_judged_missing_is_counted_and_leaves_the_row() -> None:
    gap = [*opening(), checkin(1, 0.9), held(2, "s2"), checkin(3, 0.9)]
    assert the_row(gap, "flags")["status"] == "repaired"
    silent = [*opening(), *(held(day, f"s{day}") for day in range(1, 8))]
    assert the_row(silent[:-1], "flags")["status"] == "open"
    # The session of day 6 is the sixth, judged when that of day 7 begins.
    assert (the_row(silent, "flags")["status"], the_row(silent, "flags")["closed_at"]) == ("unrepaired", on(7))


#: With the session of day 10 the silence has become long enough: that of day 9 is judged.
SILENCE = [*scores(*[0.92] * 4), *(held(day, f"s{day}") for day in range(4, 11))]


def test_a_missing_checkin_opens_a_flag_where_it_is_judged() -> None:
    assert rows(SILENCE[:-1], "flags") == []
    row = the_row(SILENCE, "flags")
    assert (row["kind"], row["kinds"], row["opened_at"], row["session_number"]) == (
        "nonresponse",
        ["nonresponse"],
        on(10),
        11,
    )
    assert row["flag_id"] == flag_id_of("c1", f"missing-{number_of('s9')}")
    assert (row["evidence"]["score"], row["evidence"]["checkins"], row["evidence"]["sessions"]) == (0.92, 4, 11)
    row = the_row([*SILENCE[:-1], held(10, "s10", data={**OTHER, "session_id": "s10"})], "flags")
    assert (row["therapist_id"], row["team"]) == ("t2", "south")


def test_the_checkin_that_begins_a_session_comes_after_the_flag_that_it_brought() -> None:
    row = the_row([*SILENCE[:-1], checkin(10, 0.95), checkin(11, 0.95)], "flags")
    # Both scores are counted, that of the opening instant as well.
    assert (row["opened_at"], row["status"], row["closed_at"]) == (on(10), "repaired", on(11))


def test_missed_appointments_alone_may_open_a_flag() -> None:
    log = [missed(day, id=f"e{day}") for day in range(9)]
    row = the_row(log, "flags")
    day = int((row["opened_at"] - on(0)).days)
    assert (row["kind"], row["session_number"]) == ("withdrawal", 0)
    assert row["flag_id"] == flag_id_of("c1", f"missed-{number_of('clinic', f'e{day}')}")
    assert row["evidence"].keys() == {"evidence", "limit", "own_evidence", "checkins", "sessions"}
    # m(0) = 0.9375; the target is 0.88.
    assert the_row([*log, *scores(0.8825, 0.8825, since=9)], "flags")["status"] == "repaired"


def test_a_closing_case_leaves_its_flag_unrepaired() -> None:
    row = the_row([*opening(), closed(3)], "flags")
    assert (row["status"], row["closed_at"]) == ("unrepaired", on(3))
    assert the_row([*opening(), *scores(0.9, 0.9, since=1), closed(3)], "flags")["status"] == "repaired"


def test_only_the_first_acknowledgement_counts() -> None:
    log = [*opening(), action(1, "acknowledged", FLAG), action(2, "acknowledged", FLAG)]
    row = the_row(log, "flags")
    assert (row["status"], row["acknowledged_at"], row["updated_at"]) == ("acknowledged", on(1), on(1))
    assert row["discussed_at"] is None


def test_a_discussion_acknowledges_as_well() -> None:
    row = the_row([*opening(), action(1, "discussed", FLAG), action(2, "discussed", FLAG)], "flags")
    assert (row["status"], row["updated_at"]) == ("acknowledged", on(1))
    assert row["acknowledged_at"] == row["discussed_at"] == on(1)
    row = the_row([*opening(), action(1, "acknowledged", FLAG), action(2, "discussed", FLAG)], "flags")
    assert (row["acknowledged_at"], row["discussed_at"], row["updated_at"]) == (on(1), on(2), on(2))


def test_a_dismissal_ends_the_flag_and_later_actions_have_no_effect() -> None:
    log = [*opening(), action(1, "dismissed", FLAG), action(2, "acknowledged", FLAG)]
    row = the_row(log, "flags")
    assert (row["status"], row["closed_at"], row["updated_at"]) == ("dismissed", on(1), on(1))
    assert row["acknowledged_at"] is None


def test_an_action_before_the_opening_acts_at_the_opening() -> None:
    row = the_row([action(-2, "discussed", FLAG), *opening()], "flags")
    assert (row["status"], row["acknowledged_at"], row["discussed_at"]) == ("acknowledged", on(0), on(0))
    log = [action(-2, "dismissed", FLAG), action(-1, "acknowledged", FLAG), *opening()]
    row = the_row(log, "flags")
    assert (row["status"], row["closed_at"], row["acknowledged_at"]) == ("dismissed", on(0), None)
    log = [action(-1, "dismissed", FLAG), action(-2, "acknowledged", FLAG), *opening()]
    assert the_row(log, "flags")["acknowledged_at"] == on(0)


def test_an_action_on_a_flag_never_raised_or_of_another_case_has_no_effect() -> None:
    log = [*opening(), action(1, "dismissed", "f-0"), action(1, "dismissed", FLAG, subject="c2")]
    assert the_row(log, "flags")["status"] == "open"
    assert len(rows(log, "flag_actions")) == 2


def test_after_a_repair_every_kind_may_open_again() -> None:
    assert len(rows([*opening(), *scores(0.9, 0.9, 0.5, since=1)], "flags")) == 2


#: Held against 0.36 after a dismissal a client is low, which is dismissed as well; then nine sessions are silent.
LOW_AND_SILENT = [
    *opening(),
    *scores(0.36, 0.37, 0.36, since=1),
    action(4, "dismissed", FLAG),
    checkin(5, 0.7, rater="therapist", checkin_id="low"),
    action(6, "dismissed", flag_id_of("c1", number_of("low"))),
    *(held(day, f"s{day}") for day in range(7, 16)),
]
ENDS = [closed(1), action(1, "dismissed", FLAG)]


@pytest.mark.parametrize("end", ENDS)
def test_after_another_end_a_kind_is_muted_until_a_scored_checkin_at_which_it_is_not_reported(end: Record) -> None:
    # The level is open: 0.45 is as low as it was (z = -4.50), and the case is rebaselining. With weight 1, it becomes
    # what is expected: 0.547932 at session 3, sd 0.0646804. 0.5 (z = -0.74) is no drop, 0.2 (z = -5.38) is one.
    log = [*opening(), end]
    assert len(rows([*log, *scores(0.45, 0.5, since=2)], "flags")) == 1
    _, second = rows([*log, *scores(0.45, 0.2, since=2)], "flags")
    assert (second["kind"], second["kinds"], second["opened_at"]) == ("drop", ["drop"], on(3))


@pytest.mark.parametrize("end", [closed(10.5), action(10.5, "dismissed", flag_id_of("c1", number_of("low")))])
def test_a_kind_that_is_not_muted_opens_with_the_muted_ones_beside_it(end: Record) -> None:
    # Low opens at the sixth; held against its six scores a client is low still when six sessions have been silent.
    # Both are a watch, and low is the first in the table.
    low = [*scores(*[0.7] * 5), checkin(5, 0.7, checkin_id="low"), *scores(*[0.7] * 5, since=6)]
    first, second = rows([*low, end, *(held(day, f"s{day}") for day in range(11, 17))], "flags")
    assert (first["kinds"], first["closed_at"]) == (["low"], on(10.5))
    assert (second["kind"], second["kinds"], second["severity"]) == ("nonresponse", ["low", "nonresponse"], "watch")
    assert (second["opened_at"], second["rule_name"]) == (on(16), "strain-odds-missing-check-ins")
    assert second["evidence"].keys().isdisjoint({"level", "cutoff", "probability"})


def test_what_waning_alone_has_muted_a_drop_does_not_open_at_either() -> None:
    # The slide passes 5 at the last of these: waning alone.
    falling = scores(*[0.9] * 5, 0.88, 0.86, 0.84, 0.82, 0.8, 0.78, 0.76, 0.74)
    assert the_row(falling, "flags")["kinds"] == ["waning"]
    # While it lives, 0.5 is a drop as well; after its end it is accepted, and opens nothing.
    assert the_row([*falling, checkin(14, 0.5)], "flags")["kinds"] == ["waning", "drop"]
    ended = [*falling, closed(13), checkin(14, 0.5)]
    assert the_row(ended, "flags")["kinds"] == ["waning"]
    # Neither has spoken at it, so both are free.
    _, second = rows([*ended, checkin(15, 0.2)], "flags")
    assert (second["kind"], second["kinds"][:2]) == ("drop", ["drop", "waning"])


def test_a_flag_opens_as_grave_as_the_kind_that_is_not_muted() -> None:
    low, silence = rows(LOW_AND_SILENT[:-1], "flags")[1:]
    assert (low["kind"], low["severity"], silence["kinds"]) == ("low", "warning", ["low", "nonresponse"])
    assert (silence["kind"], silence["severity"], silence["opened_at"]) == ("nonresponse", "watch", on(14))
    # Asked again, low is the graver one.
    later = rows(LOW_AND_SILENT, "flags")[2]
    assert (later["kind"], later["severity"], later["updated_at"]) == ("nonresponse", "warning", on(15))
    # Nine sessions without a check-in have not moved the level: looking ahead does not move t.
    assert later["evidence"]["level"] == low["evidence"]["level"]
    assert later["evidence"] == silence["evidence"] | {
        name: later["evidence"][name] for name in ("level", "cutoff", "probability")
    }


def test_a_kind_stays_muted_over_the_end_of_another_flag() -> None:
    # The withdrawal opens and ends without a scored check-in, so nothing has freed the drop.
    log = [*opening(), closed(1), *(missed(day) for day in range(2, 12)), closed(12)]
    assert [row["kinds"] for row in rows(log, "flags")] == [["drop"], ["withdrawal"]]
    assert len(rows([*log, checkin(13, 0.45)], "flags")) == 2
    assert len(rows([*log, checkin(13, 0.45), checkin(14, 0.2)], "flags")) == 3


def test_a_muted_kind_is_free_although_another_one_is_still_reported() -> None:
    log = scores(*[0.7] * 6, 0.5, *[0.7] * 5)
    row = the_row(log, "flags")
    assert (row["kinds"][:2], row["status"]) == (["low", "drop"], "unrepaired")
    assert len(rows([*log, checkin(12, 0.45)], "flags")) == 1
    # Low speaks at 0.7 and stays muted; the drop does not.
    _, second = rows([*log, checkin(12, 0.7), checkin(13, 0.45)], "flags")
    assert (second["kind"], "low" in second["kinds"]) == ("drop", True)


def test_neither_a_check_in_without_a_total_nor_a_therapists_nor_a_session_makes_a_kind_fit_again() -> None:
    log = [*opening(), closed(1), checkin(2, 0.9, rater="therapist"), held(3, "s3"), missed(4), unscored(5)]
    # Not on a reversed scale, and as low as the first one.
    assert len(rows([*log, checkin(6, 0.45)], "flags")) == 1
    assert len(rows([*log, checkin(6, 0.45), checkin(7, 0.2)], "flags")) == 2


def test_nor_does_the_checkin_that_ends_a_flag() -> None:
    log = [*opening(), *scores(*[0.8] * 5, 0.9, since=1)]
    assert the_row(log, "flags")["status"] == "unrepaired"
    # The last one is back at the target: nothing updates the baseline, and at 0.5 the case is rebaselining.
    assert len(rows([*log, checkin(7, 0.5)], "flags")) == 1
    assert len(rows([*log, checkin(7, 0.8), checkin(8, 0.5)], "flags")) == 2


def test_a_late_action_on_an_ended_flag_spends_nothing() -> None:
    log = [*opening(), closed(1), checkin(2, 0.45), action(3, "acknowledged", FLAG), action(3, "dismissed", FLAG)]
    assert len(rows([*log, checkin(4, 0.2)], "flags")) == 2


#: Low opens at the sixth, and six more at 0.7 leave it unrepaired.
STAYS_LOW = scores(*[0.7] * 12)


def later(*after: Record) -> list[list[str]]:
    """The kinds of the flags that come after the low one."""
    return [flag["kinds"] for flag in rows([*STAYS_LOW, *after], "flags")[1:]]


def test_low_is_muted_until_it_is_silent_and_two_scores_in_a_row_were_not_under_the_cutoff() -> None:
    assert the_row(STAYS_LOW, "flags")["status"] == "unrepaired"
    # Two in a row, at the second of which the level is surely under 0.8 no more; then it is again.
    assert later(*scores(0.95, 0.95, *[0.7] * 8, since=12)) == [["low"]]
    # The level is as high for a moment, but there are no two in a row.
    assert later(*scores(0.95, *[0.7] * 10, since=12)) == []
    assert later(*scores(0.95, 0.7975, 0.95, 0.7975, *[0.7] * 10, since=12)) == []
    # Two in a row, but the level is still low: the check-ins that show the recovery raise nothing.
    assert later(*scores(0.8, 0.8, *[0.7] * 8, since=12)) == []


def test_an_instrument_without_a_cutoff_breaks_the_row() -> None:
    # wai-sr/1 has none; the score is 0.9375.
    answers = {f"i{place:02}": 5 for place in range(1, 13)} | {"i01": 4, "i04": 4, "i07": 4}
    wai = checkin(13, 0.9, instrument="wai-sr/1", answers=answers)
    assert later(checkin(12, 0.95), wai, *scores(*[0.7] * 8, since=14)) == []
    assert later(checkin(12, 0.95), wai, *scores(0.95, 0.95, *[0.7] * 10, since=14)) == [["waning", "low"]]


def test_low_is_muted_by_a_repair_too() -> None:
    low = [*scores(*[0.7] * 6), *scores(0.8, 0.8, since=6)]
    assert the_row(low, "flags")["status"] == "repaired"
    # The level is still under the cut-off, as it was when the flag opened.
    assert len(rows([*low, *scores(*[0.7] * 8, since=8)], "flags")) == 1
    # At the sixth a drop (a warning) beside low (a watch): the target, 0.7259 - 0.0575 = 0.668, is below the cut-off.
    log = scores(*[0.7] * 5, 0.5)
    row = the_row(log, "flags")
    assert (row["kind"], row["kinds"], row["severity"]) == ("drop", ["drop", "low"], "warning")
    assert row["evidence"]["expected"] - 0.0575 == pytest.approx(0.668, abs=0.001)
    repaired = [*log, *scores(0.7, 0.7, since=6)]
    assert the_row(repaired, "flags")["status"] == "repaired"
    assert len(rows([*repaired, checkin(8, 0.7)], "flags")) == 1
    # The drop is not muted by it.
    assert rows([*repaired, checkin(8, 0.5)], "flags")[1]["kind"] == "drop"


def test_checkins_of_an_episode_never_update_the_baseline() -> None:
    # After the repair nothing is known of the client: m(4) = 0.9495, sd 0.109687 as for a first score.
    second = rows([*opening(), *scores(0.9, 0.9, 0.5, since=1)], "flags")[1]
    assert (second["evidence"]["expected"], second["evidence"]["checkins"]) == (0.9495, 4)
    assert second["evidence"]["deviation"] == pytest.approx(-0.4495 / 0.1096871, abs=1e-4)


def test_a_flag_that_the_set_does_not_support_is_not_there() -> None:
    log = [*opening(), voided(1, "k")]
    for order in permutations(log):
        assert rows([*order], "flags") == []
    corrected = [*opening(), checkin(1, 0.9, "s@0", checkin_id="k", revision=2)]
    assert rows(corrected, "flags") == []


def test_the_order_of_arrival_does_not_matter() -> None:
    log = [held(0, "s0"), *opening(1), action(2, "discussed", FLAG), checkin(3, 0.9), closed(4)]
    expected = rows(log, "flags")
    assert expected[0]["status"] == "unrepaired"
    for order in permutations(log):
        assert rows([*order], "flags") == expected
