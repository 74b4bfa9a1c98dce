"""Section 2 of docs/rules.md. In: events of one case, repeated, corrected, voided. Out: what of them counts."""

from itertools import permutations

from schemas.codec import canonical, decode_event
from tests.oracle.acceptance import Record, hex_digest
from tests.oracle.messages import SESSION, checkin, held, missed, on, rows, summary, the_row, voided
from tests.oracle.shapes import CHECKIN


def digest(record: Record, size: int) -> str:
    assert record[1] is not None
    return hex_digest(size, canonical(decode_event(record[1])))


def test_the_same_event_twice_is_one_event() -> None:
    log = [held(0), held(0), checkin(1, 0.9), checkin(1, 0.9)]
    assert summary(log)["version"] == 2
    assert len(rows(log, "events")) == 2
    assert summary(log)["days"] == {"2026-01-01": [1, 0, 0, 0], "2026-01-02": [1, 1, 0, 0]}


def test_the_same_id_from_another_source_is_another_event() -> None:
    log = [held(0, id="e1"), held(0, "s2", id="e1", source="elsewhere")]
    assert summary(log)["days"] == {"2026-01-01": [2, 0, 0, 0]}


def test_of_two_contents_under_one_identity_the_greater_digest_counts_and_both_are_counted() -> None:
    pairs = [(checkin(0, 0.9, id="e1"), checkin(0, 0.9 - step / 400, id="e1")) for step in range(1, 9)]
    for one, other in pairs:
        store_says = max((one, other), key=lambda record: digest(record, 16))
        case_says = store_says
        for log in ([one, other], [other, one]):
            assert the_row(log, "checkins")["digest"] == digest(store_says, 16)
            assert summary(log)["score_points"] == the_row([case_says], "checkins")["total"]
            assert summary(log)["version"] == 2
            assert len(rows(log, "events")) == 1


def test_the_content_that_lost_leaves_no_trace_in_its_own_table() -> None:
    pair = [held(0, id="e1"), missed(0, "t2", id="e1")]
    winner = max(pair, key=lambda record: digest(record, 16))
    for log in (pair, pair[::-1]):
        assert the_row(log, "sessions") == the_row([winner], "sessions")


def test_the_greatest_revision_counts_at_the_place_of_the_first_one() -> None:
    first = checkin(5, 0.9, "s1", checkin_id="k", id="a")
    second = checkin(2, 0.8, "s1", checkin_id="k", revision=2, id="b")
    third = checkin(9, 0.7, "s1", checkin_id="k", revision=3, id="c")
    for log in permutations([first, second, third]):
        row = the_row([*log], "checkins")
        assert (row["revision"], row["total"], row["occurred_at"]) == (3, 0.7, on(9))
        assert summary([*log])["last_event_at"] == on(2)
        assert summary([*log])["days"] == {"2026-01-03": [1, 1, 0, 0]}
        assert summary([*log])["version"] == 3


def test_among_equal_revisions_the_greatest_digest_counts() -> None:
    pair = [checkin(0, 0.9, "s1", checkin_id="k", id="a"), checkin(0, 0.8, "s1", checkin_id="k", id="b")]
    expected = max(digest(record, 16) for record in pair)
    assert the_row(pair, "checkins")["digest"] == the_row(pair[::-1], "checkins")["digest"] == expected
    assert summary(pair)["score_points"] == summary(pair[::-1])["score_points"]


def test_a_checkin_without_an_id_of_its_own_is_named_by_source_and_id() -> None:
    assert the_row([checkin(0, 0.9, id="e1", source="tablet")], "checkins")["checkin_id"] == "tablet#e1"
    assert the_row([checkin(0, 0.9, checkin_id=None, id="e1")], "checkins")["checkin_id"] == "clinic#e1"


def test_a_voided_checkin_does_not_count_whenever_the_void_comes() -> None:
    log = [voided(-3, "k"), checkin(0, 0.9, "s1", checkin_id="k"), held(1, "s2")]
    for order in permutations(log):
        result = summary([*order])
        assert (result["scored_cases"], result["version"]) == (0, 3)
        assert result["days"] == {"2026-01-02": [1, 0, 0, 0]}
        assert len(rows([*order], "checkins")) == len(rows([*order], "voided_checkins")) == 1


def test_a_withdrawal_takes_every_revision_with_it() -> None:
    log = [checkin(0, 0.9, checkin_id="k", id="a"), voided(1, "k")]
    log.append(checkin(2, 0.9, checkin_id="k", revision=2, id="b"))
    row = summary(log)
    assert (row["version"], row["active_cases"], row["days"], row["last_event_at"]) == (3, 0, {}, None)


def test_of_several_checkins_of_one_session_by_one_rater_the_last_counts() -> None:
    log = [checkin(0.5, 0.8, "s1"), checkin(0.25, 0.9, "s1"), checkin(0, 0.85, "s1", rater="therapist")]
    result = summary(log)
    assert result["score_points"] == 0.8
    assert result["days"] == {"2026-01-01": [1, 1, 0, 0]}
    assert len(rows(log, "checkins")) == 3


def test_a_voided_checkin_does_not_stand_in_the_way_of_an_earlier_one() -> None:
    log = [checkin(0, 0.8, "s1"), checkin(0.25, 0.9, "s1", checkin_id="k"), voided(1, "k")]
    assert summary(log)["score_points"] == 0.8


def test_a_later_checkin_without_a_total_still_takes_the_place_of_an_earlier_one() -> None:
    log = [checkin(0, 0.8, "s1"), checkin(0.25, 0.9, "s1", answers={"trust": 9})]
    assert summary(log)["scored_cases"] == 0
    assert [row["total"] for row in rows(log, "checkins") if row["occurred_at"] == on(0.25)] == [None]


def test_fields_that_the_schema_does_not_know_are_no_part_of_the_content() -> None:
    log = [held(0), held(0, remark="seen"), held(0, data={**SESSION, "room": 7})]
    assert summary(log)["version"] == 1
    assert CHECKIN not in {row["type"] for row in rows(log, "events")}
