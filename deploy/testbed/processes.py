"""The project's own commands as child processes of a test.

In: a command line and settings. Out: a running process whose output the test can wait for. Never: a setting
inherited from the person who runs the tests, a signal to a process that the test did not start.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.places import ROOT
from deploy.testbed.waiting import wait_until
from pipeline.runtime.processes import Child


class Process(Child):
    """A child process in words for tests; start, stop, kill, send, wait, pid, output come from Child."""

    def wait_for_line(self, pattern: str, timeout: float = 30) -> re.Match[str]:
        """The first match of a regular expression in its output since the latest start.

        Fails after timeout seconds, or at once when the process ends without it, and shows the output.
        """
        wait_until(
            lambda: self._line(pattern) or not self.running,
            timeout,
            lambda: f"a line like {pattern!r} from {self.name}, which said:\n{self.output()}",
        )
        match = self._line(pattern)
        if match is None:
            raise AssertionError(f"{self.name} ended with {self.exit_code} before {pattern!r}:\n{self.output()}")
        return match

    @property
    def most_memory_bytes(self) -> int:
        """Its largest resident size so far."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def _line(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.output(), re.MULTILINE)


class Processes:
    """Starts processes for one test and ends them all after it; logs and nothing else lie in the folder."""

    def __init__(self, folder: Path, entry: str = "alliance.cli") -> None:
        """`entry`: the module that is started for a command of `alliance`."""
        self._folder = folder
        self._entry = entry
        self._started: list[Process] = []

    def python(self, *arguments: str, env: Mapping[str, str] | None = None, name: str = "python") -> Process:
        """Starts this Python with the arguments, in the repository's root, and returns at once."""
        log = self._folder / f"{len(self._started):02d}-{name}.log"
        process = Process(name, [sys.executable, "-u", *arguments], log, env=child_environment(env or {}), cwd=ROOT)
        self._started.append(process)
        process.start()
        return process

    def alliance(self, command: str, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        """Starts `alliance COMMAND …`; its settings are the ALLIANCE_… variables in env and no others."""
        return self.module(self._entry, command, *arguments, env=env, name=command)

    def module(self, module: str, *arguments: str, env: Mapping[str, str] | None = None, name: str) -> Process:
        """Starts `python -m MODULE …`, otherwise as `alliance` does."""
        return self.python("-m", module, *arguments, env=env, name=name)

    def close(self) -> None:
        """Kills what still runs."""
        for process in reversed(self._started):
            process.kill()


def child_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our environment without any ALLIANCE_… variable, then the given settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ALLIANCE_")}
    return {**inherited, "PYTHONPATH": str(ROOT), **settings}
