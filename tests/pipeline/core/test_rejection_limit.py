"""Too many bad records stop a partition: after a hundred in a row, or more than half of the last thousand."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.rejection_limit import MOST_IN_A_ROW, WINDOW, RejectionLimit, Stop
from schemas.refusals import Reason

GOOD, BAD = None, Reason.NOT_JSON
Fates = list[Reason | None]


def first_stop(fates: Fates, flood: RejectionLimit | None = None, first: int = 0) -> Stop | None:
    """The first stop in a partition whose records come to this."""
    state = flood or RejectionLimit(partition=3)
    found = (state.take(offset, fate) for offset, fate in enumerate(fates, start=first))
    return next((stop for stop in found if stop is not None), None)


def test_the_hundredth_in_a_row_stops_and_the_ninety_ninth_does_not() -> None:
    assert first_stop([BAD] * (MOST_IN_A_ROW - 1)) is None
    assert first_stop([BAD] * MOST_IN_A_ROW) == Stop(3, MOST_IN_A_ROW - 1, MOST_IN_A_ROW, MOST_IN_A_ROW, BAD)


def test_one_good_record_among_them_begins_the_count_anew() -> None:
    assert first_stop([*[BAD] * 99, GOOD, *[BAD] * 99]) is None


def test_more_than_half_of_the_last_thousand_stops_and_half_does_not() -> None:
    half = [GOOD, BAD] * (WINDOW // 2)
    assert first_stop(half * 3) is None
    stop = first_stop([*half, BAD])
    assert stop == Stop(3, WINDOW, WINDOW // 2 + 1, WINDOW, BAD)


def test_a_share_is_judged_only_once_there_are_a_thousand() -> None:
    assert first_stop([BAD, BAD, GOOD] * 300) is None


def test_what_was_refused_because_its_case_is_erased_is_no_fault_of_the_sender() -> None:
    assert first_stop([Reason.ERASED] * 5000) is None


def test_what_somebody_lets_pass_is_not_counted_and_what_comes_after_it_is() -> None:
    flood = RejectionLimit(partition=3)
    assert first_stop([BAD] * 100, flood) is not None
    flood.let_pass(before=1000)
    assert first_stop([BAD] * 900, flood, first=100) is None
    stop = first_stop([BAD] * 100, flood, first=1000)
    assert stop is not None
    assert stop.offset == 1099


def test_the_sentence_says_what_is_wrong_and_what_to_do() -> None:
    stop = first_stop([*[Reason.KEY_MISMATCH] * 60, *[BAD] * 40])
    assert stop is not None
    assert stop.sentence == (
        "partition 3 brings bad records: the last 100 records were refused, most of them as key-mismatch; "
        "mend the sender, then let the rest pass with `alliance resume 3`"
    )
    assert "501 of the last 1000 were refused" in Stop(3, 7, 501, 1000, BAD).sentence


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from([GOOD, GOOD, BAD, Reason.EMPTY, Reason.ERASED]), st.integers(1, 90))))
def test_it_stops_where_counting_from_scratch_would(runs: list[tuple[Reason | None, int]]) -> None:
    fates = [fate for fate, times in runs for _ in range(times)]
    is_bad = [fate not in (GOOD, Reason.ERASED) for fate in fates]
    stops = (
        place
        for place, bad in enumerate(is_bad)
        if bad
        and (
            (place >= 99 and all(is_bad[place - 99 : place + 1]))
            or (place >= 999 and sum(is_bad[place - 999 : place + 1]) > 500)
        )
    )
    found = first_stop(fates)
    assert (None if found is None else found.offset) == next(stops, None)
