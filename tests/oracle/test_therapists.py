"""Section 7 of docs/rules.md. In: cases of some therapists. Out: one row per therapist."""

from tests.oracle.acceptance import hex_digest
from tests.oracle.episodes import flag_id_of, number_of
from tests.oracle.messages import action, checkin, closed, erased, held, missed, on, rows, scores, summary, voided


def test_a_therapists_version_is_the_sum_of_the_cases_versions() -> None:
    log = [held(0), held(0), checkin(1, 0.9), *scores(0.9, 0.9, 0.9, subject="c2"), voided(9, "none", subject="c2")]
    assert summary(log)["version"] == 2 + 4


def test_only_active_cases_give_scores_and_only_their_latest() -> None:
    log = [
        *scores(0.9, 0.8),
        *scores(0.7525, subject="c2"),
        *scores(0.6, subject="c3"),
        closed(5, subject="c3"),
        held(0, subject="c4"),
        *scores(0.9, subject="c5"),
        missed(5, "t2", subject="c5"),
    ]
    row = summary(log)
    assert (row["active_cases"], row["scored_cases"], row["score_points"]) == (3, 2, 1.5525)
    # The second 0.8 is 7.8, 8.1, 7.9, 8.2; 0.7525 is 7.8, 7.3, 7.6, 7.4.
    assert row["ingredient_points"] == {"trust": 1.56, "empathy": 1.54, "goals": 1.55, "communication": 1.56}


def test_an_ingredient_counts_where_the_instrument_gives_one() -> None:
    alike = dict.fromkeys(("trust", "empathy", "goals", "communication"), 9)
    log = [*scores(0.9, answers=alike), checkin(0, 0.9, subject="c2", answers={"trust": 9, "empathy": 8, "goals": 7})]
    row = summary(log)
    assert row["score_points"] == 1.7
    assert row["ingredient_points"] == {"trust": 1.8, "empathy": 1.7, "goals": 1.6, "communication": 0.9}
    assert row["ingredient_scored_cases"] == {"trust": 2, "empathy": 2, "goals": 2, "communication": 1}


def test_an_ingredient_of_0_counts_and_one_of_a_check_in_without_a_total_does_not() -> None:
    lowest = dict.fromkeys(("trust", "empathy", "goals", "communication"), 0)
    log = [checkin(0, 0.5, answers=lowest), checkin(0, 0.5, subject="c2", answers={"trust": 9, "empathy": 8})]
    row = summary(log)
    assert (row["scored_cases"], row["active_cases"]) == (1, 2)
    assert row["ingredient_points"] == dict.fromkeys(lowest, 0.0)
    assert row["ingredient_scored_cases"] == dict.fromkeys(lowest, 1)


def test_a_therapist_without_scores_has_no_case_behind_any_ingredient() -> None:
    assert summary([held(0)])["ingredient_scored_cases"] == {}
    assert summary([*scores(0.9), closed(1)])["ingredient_scored_cases"] == {}


def test_live_flags_of_active_cases_are_counted_by_severity() -> None:
    log = [
        *scores(0.4),
        *scores(0.9, 0.6, subject="c2"),
        *scores(0.4, since=-1, subject="c3", checkin_id="k"),
        action(1, "acknowledged", flag_id_of("c3", number_of("k")), subject="c3"),
        *scores(0.45, since=-9, subject="c4"),
        missed(5, "t2", subject="c4"),
        *scores(0.45, subject="c5"),
        closed(5, subject="c5"),
    ]
    row = summary(log)
    assert row["open_flag_cases"] == {"warning": 2, "urgent": 1}
    assert row["oldest_unacknowledged_at"] == on(0)
    assert summary(log, "t2")["oldest_unacknowledged_at"] == on(-9)


def test_a_therapist_without_open_flags_waits_for_nothing() -> None:
    row = summary(scores(0.9))
    assert (row["open_flag_cases"], row["oldest_unacknowledged_at"]) == ({}, None)


def test_the_team_is_that_of_the_case_with_the_newest_event() -> None:
    log = [held(2), missed(1, "t1", "south", subject="c2")]
    assert (summary(log)["team"], summary(log)["last_event_at"]) == ("north", on(2))
    equal = [held(2, subject="c9"), missed(2, "t1", "south", subject="c10")]
    assert summary(equal)["team"] == ("north" if hex_digest(12, b"c9") > hex_digest(12, b"c10") else "south")


def test_a_withdrawal_does_not_move_the_newest_event_but_an_action_does() -> None:
    assert summary([held(0), voided(5, "none")])["last_event_at"] == on(0)
    assert summary([held(0), action(5, "dismissed", "f-0")])["last_event_at"] == on(5)


def test_days_are_summed_over_the_cases() -> None:
    log = [held(0), held(0, subject="c2"), checkin(0, 0.9, subject="c2"), held(1, "s2", subject="c2")]
    assert summary(log)["days"] == {"2026-01-01": [3, 1, 0, 0], "2026-01-02": [1, 0, 0, 0]}


def test_days_reach_back_ninety_days_from_the_newest_event() -> None:
    # 1 January + 89 days is 31 March; the day before that, 30 March, is 88 days.
    log = [held(0), held(89, "s2")]
    assert set(summary(log)["days"]) == {"2026-01-01", "2026-03-31"}
    assert set(summary([*log, held(90, subject="c2")])["days"]) == {"2026-03-31", "2026-04-01"}


def test_a_case_gives_only_the_ninety_days_up_to_its_own_newest_event() -> None:
    log = [held(0), held(100, "s2"), held(50, "s3", subject="c2")]
    assert set(summary(log)["days"]) == {"2026-04-11", "2026-02-20"}


def test_a_case_is_handed_over_for_every_other_therapist_that_it_ever_named() -> None:
    log = [held(0), held(5, subject="c2"), missed(1, "t2", "south", subject="c2"), held(6, "s9", subject="c2")]
    had = summary(log, "t2")
    assert (had["active_cases"], had["version"], had["last_event_at"]) == (0, 3, None)
    assert (had["days"], had["team"]) == ({}, "south")


def test_a_therapist_named_only_by_what_does_not_count_is_named_all_the_same() -> None:
    log = [held(0), checkin(1, 0.9, therapist_id="t2", checkin_id="k"), voided(2, "k"), closed(3, "t3")]
    log.append(held(4, "s2"))
    assert [summary(log, name)["version"] for name in ("t1", "t2", "t3")] == [5, 5, 5]
    assert [summary(log, name)["active_cases"] for name in ("t1", "t2", "t3")] == [1, 0, 0]
    lost = [held(0, id="e1"), missed(0, "t2", id="e1")]
    assert sorted(row["therapist_id"] for row in rows(lost, "therapists")) == ["t1", "t2"]


def test_a_case_that_came_back_is_active_again() -> None:
    log = [held(0), missed(1, "t2"), held(2, "s2")]
    assert (summary(log, "t1")["active_cases"], summary(log, "t2")["active_cases"]) == (1, 0)
    assert summary(log, "t1")["version"] == 3


def test_of_an_erased_case_only_the_version_stays_in_the_sum() -> None:
    log = [*scores(0.9), *scores(0.75, 0.8, since=3, subject="c2"), erased(9, subject="c2"), held(10, subject="c2")]
    row = summary(log)
    assert (row["version"], row["active_cases"], row["score_points"], row["last_event_at"]) == (4, 1, 0.9, on(0))
    assert row["days"] == {"2026-01-01": [1, 1, 0, 0]}


def test_a_therapist_of_erased_cases_alone_has_nothing_left() -> None:
    row = summary([held(0), erased(1)])
    assert (row["version"], row["active_cases"], row["team"], row["last_event_at"]) == (2, 0, "north", None)
    assert (row["score_points"], row["days"], row["open_flag_cases"]) == (0, {}, {})


def test_events_that_name_no_therapist_make_no_row() -> None:
    assert rows([voided(0, "k"), action(1, "dismissed", "f-0")], "therapists") == []
