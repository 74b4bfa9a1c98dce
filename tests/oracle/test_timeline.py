"""Section 3 of docs/rules.md. In: events of one case. Out: whose it is, its sessions, its closing, its days."""

import pytest

from tests.oracle.acceptance import hex_digest
from tests.oracle.instruments import load
from tests.oracle.messages import checkin, closed, held, missed, on, rows, scores, summary, the_row

VECTORS = [
    (instrument, vector) for instrument in load().values() for vector in instrument.definition.get("vectors", ())
]


@pytest.mark.parametrize(
    ("instrument", "vector"), VECTORS, ids=lambda part: part["name"] if isinstance(part, dict) else ""
)
def test_every_worked_example_of_an_instrument_comes_out(instrument, vector) -> None:  # type: ignore[no-untyped-def]
    assert instrument.problem(vector["answers"]) is None
    found = instrument.scores(vector["answers"])
    assert found.total == vector.get("total")
    assert found.ingredients == vector["ingredients"]


def test_a_case_belongs_to_the_latest_held_missed_or_checkin() -> None:
    log = [held(0), missed(1, "t2", "south")]
    assert summary(log, "t2")["active_cases"] == 1
    assert summary(log, "t1")["active_cases"] == 0
    assert summary([*log, checkin(2, 0.9, rater="therapist", therapist_id="t1")], "t1")["active_cases"] == 1


def test_a_closing_moves_the_case_to_its_therapist_but_not_to_another_team() -> None:
    log = [held(0), closed(1, "t2"), missed(2, "t2", "south")]
    assert summary(log[:2], "t2")["team"] == "north"
    assert summary(log, "t2")["team"] == "south"


def test_a_session_is_held_once_on_the_day_of_its_first_event() -> None:
    log = [checkin(1, 0.9, "s1", rater="therapist"), held(2, "s1"), checkin(3, 0.9, "s1"), held(3, "s2")]
    assert summary(log)["days"] == {"2026-01-02": [1, 1, 0, 0], "2026-01-04": [1, 0, 0, 0]}


def test_a_day_ends_at_midnight_utc() -> None:
    log = [held(0, "s1", time="2026-01-01T23:59:59.999999Z"), held(0, "s2", id="e2", time="2026-01-02T00:00:00+01:00")]
    assert summary(log)["days"] == {"2026-01-01": [2, 0, 0, 0]}
    assert summary([held(0, time="2026-01-02T00:00:00Z")])["days"] == {"2026-01-02": [1, 0, 0, 0]}


def test_a_missed_session_is_no_held_one() -> None:
    assert summary([held(0), missed(1)])["days"] == {"2026-01-01": [1, 0, 0, 0]}


def test_a_sessions_number_is_its_place_among_the_held_ones() -> None:
    log = [held(0, "s1"), missed(1), held(2, "s2"), checkin(3, 0.4, "s3"), checkin(4, 0.5, "s1")]
    assert the_row(log, "flags")["session_number"] == 3


def test_a_flag_has_the_number_of_the_newest_session_also_by_a_checkin_of_an_earlier_one() -> None:
    log = [held(0, "s1"), held(1, "s2"), checkin(2, 0.4, "s1")]
    assert the_row(log, "flags")["session_number"] == 2


@pytest.mark.parametrize(
    ("later", "is_active"),
    [(held(3, "s1"), True), (checkin(3, 0.9, "s1"), True), (missed(3), False), (checkin(1, 0.9, "s1"), False)],
)
def test_a_closed_case_opens_again_by_a_later_held_session_or_checkin(later, is_active) -> None:  # type: ignore[no-untyped-def]
    assert summary([held(0, "s1"), closed(2), later])["active_cases"] == int(is_active)


def test_at_one_instant_the_case_closes_last() -> None:
    log = [closed(1), checkin(1, 0.9, "s2"), held(1, "s1")]
    assert summary(log)["active_cases"] == 0
    assert summary(log)["scored_cases"] == 0


def test_at_one_instant_a_session_is_held_before_a_checkin_and_a_digest_decides_within_a_kind() -> None:
    log = [
        checkin(1, 0.4, "s2", source="a", id="a"),
        held(1, "s1", source="z", id="z"),
        held(1, "s0", source="y", id="zz"),
    ]
    assert the_row(log, "flags")["session_number"] == 3
    scores = {("b", "a"): 0.9, ("a", "b"): 0.8}
    last = max(scores, key=lambda name: hex_digest(8, name[0].encode(), name[1].encode()))
    later = [checkin(1, score, f"s-{id}", source=source, id=id) for (source, id), score in scores.items()]
    assert summary(later)["score_points"] == scores[last]


def test_only_a_clients_checkin_with_a_total_is_scored() -> None:
    log = [checkin(0, 0.5, rater="therapist"), checkin(1, 0.5, answers={"trust": 1, "goals": 1})]
    assert rows(log, "flags") == []
    assert summary(log)["days"] == {"2026-01-01": [1, 0, 0, 0], "2026-01-02": [1, 0, 0, 0]}
    assert summary(log)["scored_cases"] == 0


def test_a_checkin_is_completed_on_its_sessions_day() -> None:
    assert summary([held(0, "s1"), checkin(5, 0.9, "s1")])["days"] == {"2026-01-01": [1, 1, 0, 0]}


def test_a_flag_that_ended_is_counted_on_the_day_it_ended() -> None:
    repaired = scores(0.45, 0.9, 0.9)
    assert summary(repaired)["days"]["2026-01-03"] == [1, 1, 1, 0]
    unrepaired = [*scores(0.45), closed(8)]
    assert summary(unrepaired)["days"] == {"2026-01-01": [1, 1, 0, 0], "2026-01-09": [0, 0, 0, 1]}
    assert the_row(unrepaired, "flags")["closed_at"] == on(8)
