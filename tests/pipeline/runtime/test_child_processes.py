"""Child processes and ports on this machine. What a process started goes when the process does."""

import os
import signal
import sys
from pathlib import Path
from subprocess import PIPE, Popen

from deploy.local.places import ROOT
from deploy.testbed.waiting import wait_until
from pipeline.runtime.processes import free_port, free_ports, is_free, is_listening

WAITS = "import threading; print('ready', flush=True); threading.Event().wait()"


def is_alive(pid: int) -> bool:
    """Whether a process has this pid and has not ended (a zombie, which only its parent can bury, has)."""
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_servers_and_temporary_folders_go_even_when_we_are_killed(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    program = f"""
import sys
from pathlib import Path
from threading import Event
from pipeline.runtime.processes import Child, leave_to_reaper
leave_to_reaper("folder", {str(folder)!r})
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


def test_a_free_port_is_one_that_nobody_answers_on() -> None:
    port = free_port()
    assert is_free(port)
    assert not is_listening(port)


def test_ports_that_are_asked_for_together_differ() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(map(is_free, ports))
