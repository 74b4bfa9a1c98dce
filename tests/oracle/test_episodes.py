"""Section 6 of docs/rules.md. In: check-ins, actions, closings. Out: flags and what becomes of them.

A first score of 0.75 is a drop (warning) with the target 0.8675; a usual score is 0.9.
"""

from itertools import permutations

import pytest

from tests.oracle.episodes import flag_id_of
from tests.oracle.messages import action, checkin, closed, held, on, rows, scores, the_row, withdrawn

FLAG = flag_id_of("c1", "k")


def opening(day: float = 0, score: float = 0.75) -> list[tuple[bytes | None, bytes | None, int]]:
    return [checkin(day, score, checkin_id="k")]


def test_a_flag_opens_where_the_checkin_stands_with_the_therapist_of_that_moment() -> None:
    log = [*opening(1), checkin(2, 0.8, therapist_id="t2", team="south")]
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
    row = the_row([*opening(), *scores(0.9, 0.8, 0.9, 0.87, since=1)], "flags")
    assert (row["status"], row["closed_at"], row["updated_at"]) == ("repaired", on(4), on(4))


def test_the_target_itself_is_enough_and_a_step_below_is_not() -> None:
    # Low: the target is the cut-off, 0.8.
    low = scores(0.7525, 0.7525, 0.7525, 0.7525)
    assert the_row([*low, *scores(0.8, 0.8, since=4)], "flags")["status"] == "repaired"
    assert the_row([*low, *scores(0.8, 0.7975, since=4)], "flags")["status"] == "open"


def test_at_the_sixth_checkin_after_the_opening_one_it_is_unrepaired() -> None:
    assert the_row([*opening(), *scores(*[0.8] * 5, since=1)], "flags")["status"] == "open"
    row = the_row([*opening(), *scores(*[0.8] * 6, since=1)], "flags")
    assert (row["status"], row["closed_at"], row["updated_at"]) == ("unrepaired", on(6), on(6))
    assert the_row([*opening(), *scores(*[0.8] * 4, 0.9, 0.9, since=1)], "flags")["status"] == "repaired"


def test_later_signals_add_kinds_and_raise_the_severity_and_are_changes() -> None:
    # Without a baseline only drop can speak, so one usual score first; then sd 0.0582967, 0.79 is -2.05, 0.70 is -3.6.
    log = scores(0.9075, 0.79, 0.7)
    row = the_row(log, "flags")
    assert (row["severity"], row["kinds"], row["updated_at"]) == ("urgent", ["drop"], on(2))
    # 0.5 at session 3, n+1 = 2: level 0.912 - 0.754101 x 0.206 = 0.756655, P = Phi(0.043345 / 0.033472) = 0.902.
    row = the_row([*log, checkin(3, 0.7), checkin(4, 0.5, "s@1.5"), checkin(5, 0.7)], "flags")
    assert (row["severity"], row["kinds"], row["updated_at"]) == ("urgent", ["drop", "low"], on(4))
    assert (row["kind"], row["evidence"]["score"], row["opened_at"]) == ("drop", 0.79, on(1))


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
    assert len(rows([*opening(), *scores(0.9, 0.9, 0.7, since=1)], "flags")) == 2


@pytest.mark.parametrize("end", [closed(1), action(1, "dismissed", FLAG)])
def test_after_another_end_it_is_armed_by_a_scored_checkin_without_a_signal(end) -> None:  # type: ignore[no-untyped-def]
    assert len(rows([*opening(), end, *scores(0.7, since=2)], "flags")) == 1
    assert len(rows([*opening(), end, *scores(0.9, 0.7, since=2)], "flags")) == 2


def test_the_checkin_that_ends_a_flag_unrepaired_does_not_arm() -> None:
    log = [*opening(), *scores(*[0.8] * 5, 0.9, since=1)]
    assert the_row(log, "flags")["status"] == "unrepaired"
    assert len(rows([*log, checkin(7, 0.7)], "flags")) == 1
    assert len(rows([*log, checkin(7, 0.9), checkin(8, 0.7)], "flags")) == 2


def test_a_late_action_on_an_ended_flag_does_not_disarm() -> None:
    log = [*opening(), closed(1), checkin(2, 0.9), action(3, "acknowledged", FLAG), checkin(4, 0.7)]
    assert len(rows(log, "flags")) == 2


def test_checkins_of_an_episode_never_enter_the_baseline() -> None:
    # After the repair there is still no baseline: n = 0, so 0.75 at session 4 is (0.75 - 0.91425)/0.0784618 = -2.0934.
    second = rows([*opening(), *scores(0.9, 0.9, 0.75, since=1)], "flags")[1]
    assert second["evidence"] == pytest.approx(
        {"score": 0.75, "expected": 0.91425, "deviation": -2.0934, "checkins": 4}, abs=1e-4
    )


def test_signals_of_a_case_that_is_not_armed_enter_the_baseline() -> None:
    # 0.7 at session 2 is a drop (-2.67) in a case that is not armed; residual -0.20975, B 0.605266: centre -0.126955.
    # 0.9 at session 3 arms. Then R = -0.22175, n = 2, B 0.754101: centre -0.0836110; expected 0.91425 - 0.083611.
    log = [*opening(), action(0.5, "dismissed", FLAG), *scores(0.7, 0.9, 0.6, since=1)]
    second = rows(log, "flags")[1]
    assert second["evidence"]["expected"] == pytest.approx(0.830639, abs=6e-5)


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
