"""`alliance simulate`: what cannot be done is said before the work, and what cannot be sent is said after it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alliance.commands.simulate import of_the_future, simulate

MISTAKES = {
    "no such folder": (["--events", "none/events.jsonl"], "--events none/events.jsonl cannot be written"),
    "no such folder (truth)": (["--truth", "none/truth.jsonl"], "--truth none/truth.jsonl cannot be written"),
    "a full disk": (["--events", "/dev/full"], "--events /dev/full cannot be written (No space left on device)"),
    "one file for both": (["--events", "one", "--truth", "./one"], "--events and --truth are the same file, one."),
    "beyond the calendar": (["--first-day", "9995-01-01"], "--first-day is outside 1900 to 9989."),
    "before the calendar": (["--first-day", "1899-12-31"], "--first-day is outside 1900 to 9989."),
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def simulated(*options: str) -> Result:
    return CliRunner().invoke(simulate, ["--therapists", "1", *options])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_sentence_and_makes_no_file(mistake: str, tmp_path: Path) -> None:
    options, sentence = MISTAKES[mistake]
    told = simulated("--weeks", "4", *options)
    assert (told.exit_code, type(told.exception)) == (2, SystemExit), told.output
    assert sentence in told.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("first_day", ["1900-01-01", "9989-12-31"])
def test_ten_years_fit_at_both_ends_of_the_calendar(first_day: str) -> None:
    assert simulated("--weeks", "520", "--first-day", first_day).exit_code == 0


def test_of_a_history_that_is_over_nothing_is_said_and_of_one_to_come_until_when_it_cannot_be_sent() -> None:
    assert simulated("--weeks", "4", "--first-day", "2024-01-01").output.count("\n") == 1
    told = simulated("--weeks", "4", "--first-day", "9000-01-01").output
    assert "are in the future and would be refused today, the last one on 9000-01-" in told


def test_what_is_in_the_future_is_counted_to_the_second() -> None:
    now = datetime(2026, 3, 2, 16, 5, tzinfo=UTC)
    events = [{"time": f"{now + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"} for seconds in (-1, 0, 1, 86_400)]
    assert of_the_future(events, now).startswith("\n2 of 4 events are in the future")
    assert "the last one on 2026-03-03;" in of_the_future(events, now)
    assert of_the_future(events[:2], now) == of_the_future([], now) == ""
