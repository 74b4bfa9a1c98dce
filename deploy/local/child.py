"""One server as a child process: started, watched until it is ready, stopped, killed, started again.

In: a command and a log file. Out: a running process whose output is in the log. Never: a signal to any
process but this child; a child that outlives us (`reaper.py`).
"""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from deploy.local import reaper
from deploy.local.console import PartsError
from deploy.local.packages import last_words

POLL_SECONDS = 0.03


@dataclass(frozen=True)
class Account:
    """A user of this machine to run a server as; only root can name another than itself."""

    uid: int
    gid: int


class Child:
    """A command that runs beside us, with its output (both streams) appended to a log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        account: Account | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(word) for word in command]
        self._env, self._cwd, self._account = env, cwd, account
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> None:
        """Starts the command; an error if it already runs."""
        if self.running:
            raise RuntimeError(f"{self.name} already runs")
        account = self._account
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if self._env is None else dict(self._env),
                cwd=self._cwd,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        reaper.watch("pid", self._process.pid)

    @property
    def pid(self) -> int:
        """The process id of the latest start."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the latest start ended (a negative signal number if by a signal); None while it runs."""
        return self._started().poll()

    def output(self) -> str:
        """What it wrote since its latest start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def wait_until_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns once ready() holds; an error with its last words if it ends before, or is too slow."""
        deadline = monotonic() + seconds
        while not ready():
            if self._ended_within(POLL_SECONDS):
                raise PartsError(f"{self.name} ended with {self.exit_code}: {last_words(self.output())}")
            if monotonic() > deadline:
                self.kill()
                raise PartsError(f"{self.name} was not ready in {seconds:.0f} s: {last_words(self.output())}")

    def wait(self, seconds: float) -> int:
        """Waits for its end and returns the exit code; an error if it takes longer."""
        if not self._ended_within(seconds):
            raise PartsError(f"{self.name} still ran after {seconds:.0f} s: {last_words(self.output())}")
        return self._started().returncode

    def stop(self, with_signal: int = signal.SIGTERM, grace_seconds: float = 30) -> None:
        """Asks it to end and waits; after the grace period it is killed. Nothing if it does not run."""
        self.send(with_signal)
        if self._process is not None and not self._ended_within(grace_seconds):
            self.kill()

    def kill(self) -> None:
        """SIGKILL to this one process, then waits until it is gone. Nothing if it does not run."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._ended_within(30)

    def send(self, number: int) -> None:
        """Sends it a signal, if it runs."""
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _ended_within(self, seconds: float) -> bool:
        process = self._started()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        reaper.forget("pid", process.pid)
        return True

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process
