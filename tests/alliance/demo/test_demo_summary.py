"""The summary of `demo --once`, and its complaints when counts do not add up."""

from dataclasses import replace

import pytest

from alliance.demo.observe import Counts
from alliance.demo.plan import Expected
from alliance.demo.summary import Outcome, complaints, lines

OUTCOME = Outcome(
    practice="a practice",
    sent=110,
    expected=Expected(accepted=96, refused=3, duplicates=5, checkins=40),
    supervised=6,
    counts=Counts(archived=102, refused=3, summarised=102, flags=4, live_flags=1),
    checkins=40,
    flags={("drop", "repaired"): 3, ("drop", "open"): 1},
    caught={"withdrawal": (1, 9), "confrontation": (4, 5)},
    therapists=4,
    published=3,
    seconds=2.0,
    seconds_in_all=5.0,
)


def test_there_is_no_complaint_about_a_run_in_which_everything_adds_up() -> None:
    assert complaints(OUTCOME) == []
    text = "\n".join(lines(OUTCOME))
    assert "110 sent = 102 archived + 3 refused + 5 duplicates" in text
    assert "drop            4: 1 open, 3 repaired" in text
    assert "5 of 14 (confrontation 4 of 5; withdrawal 1 of 9)" in text
    assert "3 of 4 with published scores" in text
    assert "55 events/s" in text


@pytest.mark.parametrize(
    "wrong",
    [
        replace(OUTCOME, sent=109),
        replace(OUTCOME, checkins=39),
        *(
            replace(OUTCOME, counts=replace(OUTCOME.counts, **{name: 101}))
            for name in ("archived", "refused", "summarised")
        ),
    ],
)
def test_each_count_that_does_not_add_up_is_a_complaint(wrong: Outcome) -> None:
    assert len(complaints(wrong)) == 1
