"""What the families benchmark counts, and that it measures the product through its public functions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from benchmarks.families.__main__ import candidate_named, seeds_of
from benchmarks.families.candidate import Candidate, candidate_openings, opened
from benchmarks.families.case import Case, Rupture
from benchmarks.families.events import write_practice
from benchmarks.families.judge import Counts, counts_of, planted, quiet_checkins, tally
from benchmarks.families.measure import PRICES, Row, Sizes, best, geometric_mean, measure, ratio, split
from benchmarks.families.page import lines
from benchmarks.families.product import calibrated, instruments_of, product_result
from benchmarks.families.registry import FAMILIES
from schemas.instruments.registry import load_instruments

SMALL = Sizes(history=100, judged=100)


def a_case(case_id: str, rupture: Rupture | None = None, forms: int = 10) -> Case:
    client = {session: [0.9] * 4 for session in range(1, forms + 1)}
    return Case(case_id, "t-01", "north", forms, client, {}, {}, 0.01, rupture)


def a_rupture(onset: int) -> Rupture:
    return Rupture(onset, "withdrawal", "abrupt", 3.0, 4)


def test_a_flag_is_false_only_in_a_case_without_a_rupture() -> None:
    cases = [a_case("quiet"), a_case("early", a_rupture(5)), a_case("late", a_rupture(5)), a_case("at", a_rupture(5))]
    found = tally(cases, {"quiet": [2, 9], "early": [4], "late": [8], "at": [1, 7]})
    assert found.false_per_100 == 100 * 2 / 10
    assert found.caught == Counter(withdrawal=1)
    assert counts_of(found) == Counts(1, 1)
    assert planted(cases) == Counts(3, 3)
    assert quiet_checkins(cases) == 10


@pytest.mark.parametrize(
    ("evidence", "sessions"),
    [
        ([0, 3, 3, 0, 3], [2]),  # open: not opened again
        ([0, 3, 0, 0, 3], [2, 5]),  # two at or below the limit end it
        ([3] * 12, [1]),  # ended by time: a session below the limit is needed first
        ([3] * 7 + [0, 3], [1, 9]),
        ([2, 2, 2], []),
    ],
)
def test_the_lifecycle_of_a_candidates_flags(evidence: Sequence[float], sessions: Sequence[int]) -> None:
    assert list(opened(evidence, 2.0)) == sessions


def test_a_candidate_that_knows_the_onset_catches_everything_at_any_price() -> None:
    cases = FAMILIES["graded-response"].practice(1, 300)

    def evidence(case: Case, profile: int) -> list[float]:
        onset = case.rupture.onset if case.rupture else 0
        return [float(profile * (session == onset)) for session in range(1, case.held + 1)]

    openings = candidate_openings(Candidate("sees all", len, evidence), cases[::2], cases)
    assert max(counts_of(tally(cases, at_limit)).both for at_limit in openings) == planted(cases).both
    assert {tally(cases, at_limit).false_per_100 for at_limit in openings} == {0.0}


def test_a_share_below_two_in_a_hundred_is_no_denominator() -> None:
    assert ratio(Counts(10, 1), Counts(5, 0), Counts(100, 50)) == Counts(2.0, 1.0)
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    assert best({"a": Counts(5, 1), "b": Counts(4, 2)}) == (Counts(5, 2), "a")


def test_history_and_judged_part_are_different_cases_of_about_the_sizes_asked_for() -> None:
    cases = FAMILIES["uneven-days"].practice(3, 900)
    history, judged = split(cases, Sizes(history=600, judged=300))
    assert sorted(case.case_id for case in history + judged) == [case.case_id for case in cases]
    of_history, of_judged = (sum(len(case.client) for case in part) for part in (history, judged))
    assert 1.7 < of_history / of_judged < 2.3


@pytest.mark.parametrize("name", ["graded-response", "heavy-tails"])
def test_the_product_reads_a_written_practice_as_it_was_made(name: str, tmp_path: Path) -> None:
    cases = FAMILIES[name].practice(2, 150)
    write_practice(cases, tmp_path)
    result = product_result(tmp_path, tmp_path)
    for case in cases:
        shares = {session: sum(answers) / 4 for session, answers in case.client.items()}
        read = dict(result.scores[case.case_id])
        assert read.keys() == shares.keys()
        assert read == pytest.approx(shares, abs=1e-6)
    assert len(instruments_of(tmp_path)) == len(load_instruments(None)) + (name == "graded-response")
    assert not result.is_calibrated
    assert "No prior was made" in (calibrated(tmp_path).refusal or "")


def test_all_seeds_follow_from_one_and_more_practices_begin_with_the_same_ones() -> None:
    assert seeds_of("heavy-tails", 1, 3)[:2] == seeds_of("heavy-tails", 1, 2)
    assert len({*seeds_of("heavy-tails", 1, 2), *seeds_of("heavy-tails", 2, 2), *seeds_of("uneven-days", 1, 2)}) == 6


def test_a_candidate_is_found_by_its_name() -> None:
    found: object = candidate_named("benchmarks.families.page:lines")
    assert found is lines


def test_a_family_is_measured_the_same_twice_and_beside_a_candidate(tmp_path: Path) -> None:
    def lowest(case: Case, _: None) -> list[float]:
        return [1 - min(case.client.get(session, [1.0])) for session in range(1, case.held + 1)]

    def measured(seeds: Iterable[int]) -> Row:
        candidate = Candidate("lowest item", lambda history: None, lowest)
        return measure(FAMILIES["response-styles"], seeds, SMALL, tmp_path, lambda group: candidate)

    row = measured([1, 2])
    assert row == measured([1, 2])
    assert row.practices == 2
    assert row.planted.both > row.planted.withdrawal > 0
    assert 0 <= row.false_per_100 <= row.most_false_per_100
    for price in PRICES:
        for counts in (row.product[price], row.candidate[price], row.best_at(price)[0]):
            assert 0 <= counts.withdrawal <= counts.both <= row.planted.both
    page = "\n".join(lines([row], "lowest item"))
    assert page.count("| response-styles |") == 3
    assert "nan" not in page
