"""In: child processes of a test. Out: their lines and ends. Nothing of them stays when the test is over."""

import os
import signal
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from deploy.local.places import ROOT
from deploy.testbed.processes import Processes
from deploy.testbed.waiting import wait_until

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


def test_servers_and_temporary_folders_go_even_when_we_are_killed(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    program = f"""
import sys
from pathlib import Path
from threading import Event
from deploy.local import reaper
from deploy.local.child import Child
reaper.watch("folder", {str(folder)!r})
child = Child("sleeper", [sys.executable, "-c", {WAITS!r}], Path({str(tmp_path / "log")!r}))
child.start()
print(child.pid, flush=True)
Event().wait()
"""
    with Popen([sys.executable, "-c", program], stdout=PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), 10, "the killed process's server to be gone")
    wait_until(lambda: not folder.exists(), 10, "the killed process's temporary folder to be gone")
