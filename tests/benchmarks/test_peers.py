"""That the benchmark beside peers gives good records and knows a wrong outcome.

In: its loads and its judge. Out: proof that a lost event or flag is seen.
Never: a runner, which takes minutes.
"""

from pathlib import Path

from benchmarks.peers import page
from benchmarks.peers.bench import Figure
from benchmarks.peers.loads import Load, by_partition, many_cases, practice
from benchmarks.peers.outcome import RIGHT, expected, verdict
from benchmarks.peers.shares import shares


def test_every_checkin_of_very_many_cases_counts() -> None:
    outcome = expected(by_partition(many_cases(cases=200, checkins=2)))
    assert outcome.refused == 0
    assert outcome.cases == {f"m-{number:06d}": 2 for number in range(200)}


def test_a_practice_has_flags_refusals_and_events_that_came_twice() -> None:
    records = practice(3_000)
    outcome = expected(by_partition(records))
    assert outcome.flags
    assert outcome.refused == 3
    assert 0.9 * len(records) < outcome.accepted < len(records) - outcome.refused


def test_a_lost_event_a_lost_flag_and_a_lost_refusal_are_seen() -> None:
    wanted = expected(by_partition(practice(3_000)))
    some_case, some_flag = next(iter(wanted.cases)), next(iter(wanted.flags))
    assert verdict(wanted, wanted._replace()) == RIGHT
    assert "accepted" in verdict(wanted, wanted._replace(cases={**wanted.cases, some_case: 0}))
    assert "1 of" in verdict(wanted, wanted._replace(flags={**wanted.flags, some_flag: 0}))
    assert "refused 2 of 3" in verdict(wanted, wanted._replace(refused=2))


def test_the_start_up_is_taken_off_and_ratios_are_of_one_round() -> None:
    start = [figure("alliance", 0, events=16, cpu=1.0), figure("script", 0, events=16, cpu=0.5)]
    rounds = [
        figure("alliance", 0, cpu=3.0),
        figure("script", 0, cpu=1.5),
        figure("alliance", 1, cpu=5.0),
        figure("script", 1, cpu=4.5),
    ]
    book = page.Book(start, rounds)
    assert book.per_core(rounds[0]) == 500
    assert book.ratios("alliance", "large") == [0.5, 1.0]


def test_a_run_no_longer_than_the_start_up_gets_no_figure() -> None:
    book = page.Book([figure("alliance", 0, events=16, cpu=1.0)], [figure("alliance", 0, cpu=1.1)])
    assert "too short to tell" in page.table(book, Load("large", "Backlog", [[(b"", b"")] * 1_000]))


def test_a_wrong_outcome_stands_in_the_table() -> None:
    rounds = [figure("alliance", 0, cpu=1.0), figure("alliance", 1, cpu=1.0, verdict="WRONG: accepted 1 of 2")]
    table = page.table(page.Book([], rounds), Load("large", "Backlog", [[(b"", b"")] * 1_000]))
    assert "WRONG: accepted 1 of 2" in table


def test_a_sample_counts_for_one_part_and_waiting_for_none(tmp_path: Path) -> None:
    samples = tmp_path / "samples"
    samples.write_text(
        "run (asyncio/runners.py:1);CaseAgent.work (pipeline/worker/case_agent.py:70);"
        "accept (pipeline/core/acceptance.py:9) 3\n"
        "run (asyncio/runners.py:1);CaseAgent.work (pipeline/worker/case_agent.py:70) 1\n"
        "run (asyncio/runners.py:1);EpollSelector.select (selectors.py:468) 40\n"
    )
    assert shares(samples) == {"accept: decode, validate, score": 0.75, "the worker's own loop": 0.25}


def figure(runner: str, number: int, *, cpu: float, events: int = 1_000, verdict: str = RIGHT) -> Figure:
    """A run."""
    return Figure(runner, "large", number, events, cpu, cpu, 100.0, 10, 10, verdict)
