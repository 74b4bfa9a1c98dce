"""In: child processes of a test. Out: their lines and ends. Nothing of them stays when the test is over."""

import signal
from pathlib import Path

import pytest

from deploy.testbed.processes import Processes

WAITS = "import threading; print('ready', flush=True); threading.Event().wait()"


def is_alive(pid: int) -> bool:
    """Whether a process has this pid and has not ended (a zombie, which only its parent can bury, has)."""
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_line_of_a_process_can_be_waited_for(processes: Processes) -> None:
    process = processes.python("-c", "print('listening on 4711'); " + WAITS)
    assert process.wait_for_line(r"^listening on (\d+)$").group(1) == "4711"


def test_waiting_for_a_line_ends_with_the_process_and_shows_what_it_said(processes: Processes) -> None:
    process = processes.python("-c", "import sys; sys.exit('no broker')")
    with pytest.raises(AssertionError, match=r"ended with 1 before 'ready':\nno broker"):
        process.wait_for_line("ready")


def test_a_killed_process_says_so_in_its_exit_code_and_can_be_started_again(processes: Processes) -> None:
    process = processes.python("-c", WAITS)
    process.wait_for_line("ready")
    process.kill()
    assert process.exit_code == -signal.SIGKILL
    assert process.output() == "ready\n"
    process.start()
    process.wait_for_line("ready")


def test_the_persons_own_settings_do_not_reach_the_process(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLIANCE_KAFKA", "elsewhere:9092")
    show = "import os; print({k: v for k, v in os.environ.items() if k.startswith('ALLIANCE_')})"
    process = processes.python("-c", show, env={"ALLIANCE_DATABASE": "sqlite://"})
    assert process.wait(30) == 0
    assert process.output() == "{'ALLIANCE_DATABASE': 'sqlite://'}\n"


def test_all_processes_of_a_test_are_gone_after_it(tmp_path: Path) -> None:
    started = Processes(tmp_path)
    pids = [started.python("-c", WAITS).pid for _ in range(2)]
    started.close()
    assert not any(is_alive(pid) for pid in pids)
