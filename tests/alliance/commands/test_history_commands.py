"""`backtest` and `calibrate` as people run them: what they refuse in one sentence, and that no file is lost by them."""

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import pytest
from click.testing import CliRunner, Result

import alliance.evaluation.backtest
import alliance.evaluation.plots
from alliance.cli import main
from alliance.evaluation.plots import PlotsUnavailable
from deploy.testbed.builders import Json, a_checkin, value_of
from pipeline.core.detection.prior import DEFAULT_PRIOR, decode_prior, encode_prior

COMMANDS: dict[str, str] = {"backtest": "--flags", "calibrate": "--out"}


def a_history(path: Path, events: Iterable[Json | bytes] = ()) -> Path:
    lines = list(events) or [*(a_checkin(session, 9.0) for session in range(1, 5)), a_checkin(5, 4.0)]
    path.write_bytes(b"".join((line if isinstance(line, bytes) else value_of(line)) + b"\n" for line in lines))
    return path


def a_long_history(path: Path, instrument: str = "checkin-4/1", cases: int = 90) -> Path:
    """Enough to estimate from: cases and sessions that differ, without a random number."""
    return a_history(
        path,
        [
            a_checkin(
                number,
                round(8.0 + (case * 7 % 11 - 5) * 0.2 + (case * 5 + number * number * 3) % 7 * 0.15, 1),
                subject=f"c-{case}",
                therapist=f"t-{case % 6}",
                instrument=instrument,
            )
            for case in range(cases)
            for number in range(1, 7)
        ],
    )


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def sentence_of(result: Result) -> str:
    """The message of a mistake that an operator can fix."""
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit), result.output
    assert result.output.startswith("Error: ") and result.output.count("\n") == 1, result.output
    return result.output


def never(*_: object) -> None:
    raise AssertionError("the history was read")


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the history fails."""
    monkeypatch.setattr(alliance.evaluation.backtest, "backtest", never)
    monkeypatch.setattr(alliance.evaluation.backtest, "histories_of", never)


def itself(path: Path) -> Path:
    return path


def by_another_path(path: Path) -> Path:
    (path.parent / "folder").mkdir()
    return path.parent / "folder" / ".." / path.name


def by_a_symbolic_link(path: Path) -> Path:
    link = path.parent / "link"
    link.symlink_to(path.name)
    return link


def by_a_hard_link(path: Path) -> Path:
    link = path.parent / "hard"
    link.hardlink_to(path)
    return link


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("way", [itself, by_another_path, by_a_symbolic_link, by_a_hard_link])
def test_an_output_that_is_the_history_is_refused_before_anything_is_read(
    command: str, way: Callable[[Path], Path], tmp_path: Path, unread: None
) -> None:
    history = a_history(tmp_path / "events.jsonl")
    before = history.read_bytes()
    sentence = sentence_of(run(command, history, COMMANDS[command], way(history)))
    assert "is the same file as the input" in sentence and "Name another file" in sentence
    assert history.read_bytes() == before


def test_flags_that_would_take_the_place_of_the_prior_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unread: None
) -> None:
    prior = tmp_path / "prior.json"
    prior.write_bytes(encode_prior(DEFAULT_PRIOR))
    monkeypatch.setenv("ALLIANCE_PRIOR", str(prior))
    assert "is the same file" in sentence_of(run("backtest", a_history(tmp_path / "e.jsonl"), "--flags", prior))
    assert decode_prior(prior.read_bytes()) == DEFAULT_PRIOR


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("target", ["gone/x", "events.jsonl/x", "x" * 300])
def test_an_output_that_cannot_be_written_is_refused_before_anything_is_read(
    command: str, target: str, tmp_path: Path, unread: None
) -> None:
    history = a_history(tmp_path / "events.jsonl")
    sentence = sentence_of(run(command, history, COMMANDS[command], tmp_path / target))
    assert f"{COMMANDS[command]} {tmp_path / target} cannot be written (" in sentence


@pytest.mark.parametrize("command", COMMANDS)
def test_a_write_protected_output_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unread: None
) -> None:
    history, out = a_history(tmp_path / "events.jsonl"), tmp_path / "out"
    out.write_bytes(b"old")
    # Nothing is protected from root, who may be running this.
    monkeypatch.setattr(os, "access", lambda path, mode, **_: Path(path) != out or mode != os.W_OK)
    assert "it is write-protected" in sentence_of(run(command, history, COMMANDS[command], out))


@pytest.mark.parametrize("folder", ["/proc/x", "/proc/self/fd"])
def test_a_folder_that_pictures_cannot_be_written_to_is_refused_before_anything_is_read(
    folder: str, tmp_path: Path, unread: None
) -> None:
    history, flags = a_history(tmp_path / "events.jsonl"), tmp_path / "flags.jsonl"
    assert f"--plots {folder} cannot be written (" in sentence_of(
        run("backtest", history, "--flags", flags, "--plots", folder)
    )
    assert not flags.exists()


def test_pictures_without_matplotlib_are_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unread: None
) -> None:
    def missing() -> None:
        raise PlotsUnavailable("Plots need matplotlib: pip install it.")

    monkeypatch.setattr(alliance.evaluation.plots, "pyplot", missing)
    history = a_history(tmp_path / "events.jsonl")
    sentence = sentence_of(run("backtest", history, "--flags", tmp_path / "f", "--plots", tmp_path / "p"))
    assert "Plots need matplotlib" in sentence


def test_a_picture_that_fails_is_told_after_flags_and_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(alliance.evaluation.plots, "plot_flagged", full)
    flags = tmp_path / "f"
    result = run("backtest", a_history(tmp_path / "e"), "--flags", flags, "--plots", tmp_path / "p")
    assert result.exit_code == 2 and "No space left on device" in result.output
    assert "1 flag" in result.output and flags.read_bytes()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_history_that_cannot_be_read_is_reported(command: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sentence = sentence_of(run(command, "/proc/self/mem", COMMANDS[command], out))
    assert "The history /proc/self/mem cannot be read (" in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_in_place_of_a_file_is_told_without_a_traceback(command: str, tmp_path: Path) -> None:
    history = a_history(tmp_path / "events.jsonl")
    for arguments in ((tmp_path, COMMANDS[command], tmp_path / "x"), (history, COMMANDS[command], tmp_path)):
        result = run(command, *arguments)
        assert (result.exit_code, result.exception.__class__) == (2, SystemExit)
        assert "is a directory" in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_history_of_which_nothing_is_accepted_is_reported_and_nothing_written(command: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    history = a_history(tmp_path / "events.jsonl", [b"", b"no", b"neither", b"{}"])
    sentence = sentence_of(run(command, history, COMMANDS[command], out))
    assert "3 lines, all refused (not-json 2, first in line 2, not-a-cloudevent 1, first in line 4)" in sentence
    assert "docs/integrators.md" in sentence
    assert "has no events" in sentence_of(run(command, a_history(history, [b""]), COMMANDS[command], out))
    assert out.read_bytes() == b"old"


def test_a_run_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_: object, file: BinaryIO) -> None:
        file.write(b'{"half":')
        raise OSError(errno.ENOSPC, "No space left on device")

    history, flags = a_history(tmp_path / "events.jsonl"), tmp_path / "flags.jsonl"
    flags.write_bytes(b"old")
    monkeypatch.setattr(alliance.evaluation.backtest, "write_flags", half)
    assert "cannot be written (No space left on device)" in sentence_of(run("backtest", history, "--flags", flags))
    assert flags.read_bytes() == b"old"
    assert {*tmp_path.iterdir()} == {history, flags}


def test_a_new_file_takes_the_place_of_the_old_one_with_its_rights_and_through_a_link(tmp_path: Path) -> None:
    history, flags, link = a_history(tmp_path / "events.jsonl"), tmp_path / "flags.jsonl", tmp_path / "link"
    flags.write_bytes(b"old")
    flags.chmod(0o600)
    kept = tmp_path / "kept"
    kept.hardlink_to(flags)
    link.symlink_to(flags.name)
    assert run("backtest", history, "--flags", link).exit_code == 0
    assert link.is_symlink() and flags.read_bytes().startswith(b'{"flag_id"')
    assert flags.stat().st_mode & 0o777 == 0o600
    # The file is replaced, not overwritten: a reader of the old file keeps a complete one.
    assert kept.read_bytes() == b"old"
    assert {*tmp_path.iterdir()} == {history, flags, link, kept}


def test_what_is_no_file_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert run("backtest", a_history(tmp_path / "events.jsonl"), "--flags", pipe).exit_code == 0
    assert os.read(reader, 9) == b'{"flag_id'
    os.close(reader)
    assert run("backtest", tmp_path / "events.jsonl", "--flags", "/dev/null").exit_code == 0
    assert not Path("/dev/null").is_file()
    assert "No space left" in sentence_of(run("backtest", tmp_path / "events.jsonl", "--flags", "/dev/full"))


def test_a_sensitivity_that_is_no_number_is_refused(tmp_path: Path) -> None:
    history = a_history(tmp_path / "events.jsonl")
    assert "--sensitivity is not a number" in sentence_of(
        run("backtest", history, "--flags", tmp_path / "f", "--sensitivity", "nan")
    )


def test_it_is_said_how_many_of_the_flagged_cases_were_drawn(tmp_path: Path) -> None:
    drops = [
        a_checkin(session, score, subject=f"c-{case}")
        for case in range(3)
        for session, score in ((1, 9.0), (2, 9.0), (3, 9.0), (4, 9.0), (5, 4.0))
    ]
    history, flags, plots = a_history(tmp_path / "events.jsonl", drops), tmp_path / "flags", tmp_path / "plots"
    few = run("backtest", history, "--flags", flags, "--plots", plots, "--plots-most", 2).output
    assert few.endswith(f"\n2 of 3 flagged cases drawn in {plots}; --plots-most 3 for all\n")
    assert len([*plots.iterdir()]) == 2
    # A folder for the pictures may be the one that the flags go to.
    folder = tmp_path / "new"
    every = run("backtest", history, "--flags", folder / "flags", "--plots", folder).output
    assert every.endswith(f"\n3 of 3 flagged cases drawn in {folder}\n")


def test_a_prior_is_estimated_from_the_only_instrument_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "prior.json"
    result = run("calibrate", a_long_history(tmp_path / "events.jsonl"), "--out", out)
    assert result.exit_code == 0, result.output
    assert "estimated from 540 scored check-ins of checkin-4/1 alone\n" in result.output
    assert "This prior applies to every instrument" in result.output
    assert decode_prior(out.read_bytes()).first_mean == pytest.approx(0.84, abs=0.05)


def two_instruments(folder: Path) -> Path:
    history = a_long_history(folder / "events.jsonl")
    items = ("relationship", "goals_topics", "approach_method", "overall")
    other = [
        a_checkin(1, subject=f"s-{case}", instrument="srs/3", answers=dict.fromkeys(items, 2.0)) for case in range(20)
    ]
    with history.open("ab") as file:
        file.writelines(value_of(event) + b"\n" for event in other)
    return history


def test_several_instruments_are_refused_until_one_is_named(tmp_path: Path) -> None:
    history, out = two_instruments(tmp_path), tmp_path / "prior.json"
    sentence = sentence_of(run("calibrate", history, "--out", out))
    assert "checkin-4/1 (540 scored check-ins), srs/3 (20 scored check-ins)" in sentence
    assert "--instrument NAME" in sentence
    assert "has no scored check-in of wai-sr/1; it has checkin-4/1" in sentence_of(
        run("calibrate", history, "--out", out, "--instrument", "wai-sr/1")
    )
    assert not out.exists()


def test_a_named_instrument_is_the_only_one_that_counts(tmp_path: Path) -> None:
    history = two_instruments(tmp_path)
    mixed, alone = tmp_path / "mixed.json", tmp_path / "alone.json"
    assert run("calibrate", history, "--out", mixed, "--instrument", "checkin-4/1").exit_code == 0
    assert run("calibrate", a_long_history(tmp_path / "only.jsonl"), "--out", alone).exit_code == 0
    assert decode_prior(mixed.read_bytes()).first_mean == decode_prior(alone.read_bytes()).first_mean
    few = run("calibrate", history, "--instrument", "srs/3")
    assert few.exit_code == 1 and "20 scored check-ins and 0 cases with at least two are too few" in few.output


def test_scores_that_say_nothing_write_no_prior(tmp_path: Path) -> None:
    out = tmp_path / "prior.json"
    out.write_bytes(b"old")
    events = [a_checkin(number, 10.0, subject=f"c-{case}") for case in range(90) for number in range(1, 6)]
    result = run("calibrate", a_history(tmp_path / "events.jsonl", events), "--out", out)
    assert result.exit_code == 1 and "The scores do not vary" in result.output
    assert out.read_bytes() == b"old"
