"""Too many refused records pause a partition: a hundred in a row, or more than half of the last thousand."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.rejection_limit import MAX_IN_A_ROW, WINDOW, LimitExceeded, RejectionLimit
from schemas.refusals import Reason

ACCEPTED, REFUSED = None, Reason.NOT_JSON
Fates = list[Reason | None]


def first_exceeded(fates: Fates, limit: RejectionLimit | None = None, first: int = 0) -> LimitExceeded | None:
    """The first time that the limit is exceeded when records come to this."""
    counted = limit or RejectionLimit(partition=3)
    found = (counted.record(offset, fate) for offset, fate in enumerate(fates, start=first))
    return next((exceeded for exceeded in found if exceeded is not None), None)


def test_the_hundredth_in_a_row_exceeds_the_limit_and_the_ninety_ninth_does_not() -> None:
    assert first_exceeded([REFUSED] * (MAX_IN_A_ROW - 1)) is None
    assert first_exceeded([REFUSED] * MAX_IN_A_ROW) == LimitExceeded(
        3, MAX_IN_A_ROW - 1, MAX_IN_A_ROW, MAX_IN_A_ROW, REFUSED
    )


def test_one_accepted_record_among_them_begins_the_count_again() -> None:
    assert first_exceeded([*[REFUSED] * 99, ACCEPTED, *[REFUSED] * 99]) is None


def test_more_than_half_of_the_last_thousand_exceeds_the_limit_and_half_does_not() -> None:
    half = [ACCEPTED, REFUSED] * (WINDOW // 2)
    assert first_exceeded(half * 3) is None
    exceeded = first_exceeded([*half, REFUSED])
    assert exceeded == LimitExceeded(3, WINDOW, WINDOW // 2 + 1, WINDOW, REFUSED)


def test_a_share_is_judged_only_once_there_are_a_thousand() -> None:
    assert first_exceeded([REFUSED, REFUSED, ACCEPTED] * 300) is None


def test_records_refused_because_their_case_is_erased_do_not_count() -> None:
    assert first_exceeded([Reason.ERASED] * 5000) is None


def test_records_that_an_operator_accepts_do_not_count_and_later_ones_do() -> None:
    limit = RejectionLimit(partition=3)
    assert first_exceeded([REFUSED] * 100, limit) is not None
    limit.accept_before(1000)
    assert first_exceeded([REFUSED] * 900, limit, first=100) is None
    exceeded = first_exceeded([REFUSED] * 100, limit, first=1000)
    assert exceeded is not None
    assert exceeded.offset == 1099


def test_the_sentence_says_what_is_wrong_and_what_to_do() -> None:
    exceeded = first_exceeded([*[Reason.KEY_MISMATCH] * 60, *[REFUSED] * 40])
    assert exceeded is not None
    assert exceeded.sentence == (
        "the last 100 records of partition 3 were refused, most of them as key-mismatch; "
        "fix the sender, then continue with `alliance resume 3`"
    )
    assert (
        "501 of the last 1000 records of partition 3 were refused" in LimitExceeded(3, 7, 501, 1000, REFUSED).sentence
    )


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from([ACCEPTED, ACCEPTED, REFUSED, Reason.EMPTY, Reason.ERASED]), st.integers(1, 90)))
)
def test_it_is_exceeded_where_counting_from_scratch_says_so(runs: list[tuple[Reason | None, int]]) -> None:
    fates = [fate for fate, times in runs for _ in range(times)]
    is_refused = [fate not in (ACCEPTED, Reason.ERASED) for fate in fates]
    exceeded = (
        place
        for place, refused in enumerate(is_refused)
        if refused
        and (
            (place >= 99 and all(is_refused[place - 99 : place + 1]))
            or (place >= 999 and sum(is_refused[place - 999 : place + 1]) > 500)
        )
    )
    found = first_exceeded(fates)
    assert (None if found is None else found.offset) == next(exceeded, None)
