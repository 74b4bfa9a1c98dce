"""The project's commands as child processes of a test or a benchmark.

In: a command line and settings. Out: a running process whose output can be waited for.
Never: a setting inherited from the person who runs the tests; a signal to a process that was not started here.
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
    """A child process whose lines can be waited for; for start, stop, kill and so on see `Child`."""

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
    """Starts processes and ends all of them together; the folder holds their logs and nothing else."""

    def __init__(self, folder: Path, entry: str = "alliance.cli") -> None:
        """`entry`: the module that is started for a command of `alliance`."""
        self._folder = folder
        self._entry = entry
        self._started: list[Process] = []

    def python(self, *arguments: str, env: Mapping[str, str] | None = None, name: str = "python") -> Process:
        """Start this Python with the arguments in the repository's root and return at once."""
        log = self._folder / f"{len(self._started):02d}-{name}.log"
        process = Process(name, [sys.executable, "-u", *arguments], log, env=child_environment(env or {}), cwd=ROOT)
        self._started.append(process)
        process.start()
        return process

    def alliance(self, command: str, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        """Start `alliance COMMAND …`; its settings are the ALLIANCE_… variables in `env` and no others."""
        return self.module(self._entry, command, *arguments, env=env, name=command)

    def module(self, module: str, *arguments: str, env: Mapping[str, str] | None = None, name: str) -> Process:
        """Start `python -m MODULE …`, otherwise as `alliance`."""
        return self.python("-m", module, *arguments, env=env, name=name)

    def close(self) -> None:
        """Kill the processes that still run."""
        for process in reversed(self._started):
            process.kill()


def child_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without any ALLIANCE_… variable, and the given settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ALLIANCE_")}
    return {**inherited, "PYTHONPATH": str(ROOT), **settings}
