"""Section 6 of docs/rules.md. In: check-ins, actions, closings. Out: flags and what becomes of them.

A first score of 0.45 is a drop (watch) with the target 0.9405 - 0.0575 = 0.883; a usual score is 0.9.
"""

from itertools import permutations

import pytest

from tests.oracle.episodes import flag_id_of, number_of
from tests.oracle.messages import SESSION, action, checkin, closed, held, missed, on, rows, scores, the_row, withdrawn

FLAG = flag_id_of("c1", number_of("k"))
OTHER = {**SESSION, "therapist_id": "t2", "team": "south"}


def opening(day: float = 0, score: float = 0.45) -> list[tuple[bytes | None, bytes | None, int]]:
    return [checkin(day, score, checkin_id="k")]


def test_a_flag_opens_where_the_checkin_stands_with_the_therapist_of_that_moment() -> None:
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


def test_what_is_no_scored_checkin_may_add_a_kind_and_is_not_counted() -> None:
    log = [*opening(), missed(1), missed(2), missed(3), missed(4, by="therapist"), missed(5), missed(6), missed(7)]
    row = the_row(log, "flags")
    assert (row["kinds"], row["status"]) == (["drop", "waning", "withdrawal"], "open")
    # A therapist's check-in is asked about and not counted either.
    log = [*opening(), *scores(*[0.8] * 5, since=1), checkin(6, 0.9, rater="therapist")]
    assert the_row(log, "flags")["status"] == "open"


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
    assert (row["kind"], row["kinds"], row["opened_at"], row["session_number"]) == ("silence", ["silence"], on(10), 11)
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


def test_after_a_repair_the_case_is_armed() -> None:
    assert len(rows([*opening(), *scores(0.9, 0.9, 0.5, since=1)], "flags")) == 2


@pytest.mark.parametrize("end", [closed(1), action(1, "dismissed", FLAG)])
def test_after_another_end_it_is_armed_by_a_scored_checkin_without_a_signal(end) -> None:  # type: ignore[no-untyped-def]
    assert len(rows([*opening(), end, *scores(0.5, since=2)], "flags")) == 1
    assert len(rows([*opening(), end, *scores(0.9, 0.5, since=2)], "flags")) == 2


def test_the_checkin_that_ends_a_flag_unrepaired_does_not_arm() -> None:
    log = [*opening(), *scores(*[0.8] * 5, 0.9, since=1)]
    assert the_row(log, "flags")["status"] == "unrepaired"
    assert len(rows([*log, checkin(7, 0.5)], "flags")) == 1
    assert len(rows([*log, checkin(7, 0.9), checkin(8, 0.5)], "flags")) == 2


def test_neither_a_therapists_checkin_nor_a_session_arms() -> None:
    log = [*opening(), closed(1), checkin(2, 0.9, rater="therapist"), held(3, "s3"), missed(4)]
    assert len(rows([*log, checkin(5, 0.5)], "flags")) == 1


def test_a_late_action_on_an_ended_flag_does_not_disarm() -> None:
    log = [*opening(), closed(1), checkin(2, 0.9), action(3, "acknowledged", FLAG), checkin(4, 0.5)]
    assert len(rows(log, "flags")) == 2


def test_checkins_of_an_episode_are_never_learned() -> None:
    # After the repair nothing is known of the client: m(4) = 0.9495, sd 0.109687 as for a first score.
    second = rows([*opening(), *scores(0.9, 0.9, 0.5, since=1)], "flags")[1]
    assert (second["evidence"]["expected"], second["evidence"]["checkins"]) == (0.9495, 4)
    assert second["evidence"]["deviation"] == pytest.approx(-0.4495 / 0.1096871, abs=1e-4)


def test_a_flag_that_the_set_does_not_support_is_not_there() -> None:
    log = [*opening(), withdrawn(1, "k")]
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
