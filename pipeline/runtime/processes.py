"""Child processes and loopback ports; when this process ends in any way, its children and temporary folders go too.

In: commands, log files, folders. Out: running child processes with their output in a log; free ports on 127.0.0.1.
Never: a signal to a process that was not started here; an import beyond the standard library (`deploy.local` runs
before there is an environment, and the reaper is this file run by itself).

The reaper is a second small process. It reads `+pid N`, `-pid N`, `+folder PATH` and `-folder PATH` on its standard
input. The end of that input means that the parent has ended, perhaps by SIGKILL: the reaper then kills each process and
removes each folder that is still listed.
"""

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from errno import EADDRINUSE
from functools import cache
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import IO, Literal

LOOPBACK = "127.0.0.1"
#: Below Linux's ephemeral range (32768 and up). A client that keeps calling a stopped server on an ephemeral port can
#: connect to itself and so take the port away.
OUTSIDE_EPHEMERAL_RANGES = range(20_000, 32_000)
#: Ports that are tried beyond those wanted, before the machine counts as full.
MORE_PICKS = 200
POLL_SECONDS = 0.03
KILL_SECONDS = 30.0


class ProcessError(Exception):
    """A child process did not do its job, or no port is free; the message is for people and says what to do."""


@dataclass(frozen=True)
class Account:
    """A user of this machine to run a process as; only root can name another than itself."""

    uid: int
    gid: int


class Child:
    """A command that runs beside this process, with its output (both streams) appended to a log file."""

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
        """Start the command; an error if it already runs."""
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
                # A session of its own: a terminal's Ctrl-C reaches only this process, which ends its children in order.
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        leave_to_reaper("pid", self._process.pid)

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
        """Return once ready() holds; a `ProcessError` with its last output if it ends before, or is too slow."""
        deadline = monotonic() + seconds
        while not ready():
            if self._ended_within(POLL_SECONDS):
                raise ProcessError(f"{self.name} ended with {self.exit_code}: {last_lines(self.output())}")
            if monotonic() > deadline:
                self.kill()
                raise ProcessError(f"{self.name} was not ready in {seconds:.0f} s: {last_lines(self.output())}")

    def wait(self, seconds: float) -> int:
        """Wait for its end and return the exit code; a `ProcessError` if it takes longer."""
        if not self._ended_within(seconds):
            raise ProcessError(f"{self.name} still ran after {seconds:.0f} s: {last_lines(self.output())}")
        return self._started().returncode

    def stop(self, with_signal: int = signal.SIGTERM, grace_seconds: float = 30.0) -> None:
        """Ask it to end and wait; after the grace period it is killed. Nothing happens if it does not run."""
        self.send(with_signal)
        self.kill_after(grace_seconds)

    def kill_after(self, grace_seconds: float) -> None:
        """Wait for its end; after the grace period it is killed. Nothing happens if it was never started."""
        if self._process is not None and not self._ended_within(max(0.0, grace_seconds)):
            self.kill()

    def kill(self) -> None:
        """SIGKILL to this one process, then wait until it is gone. Nothing happens if it does not run."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._ended_within(KILL_SECONDS)

    def send(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _ended_within(self, seconds: float) -> bool:
        process = self._started()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        take_from_reaper("pid", process.pid)
        return True

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process


def last_lines(output: str, count: int = 12) -> str:
    """The end of a program's output, where the reason for a failure is."""
    return "\n".join(output.strip().splitlines()[-count:])


def free_port() -> int:
    """A port on which nothing listens at this moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many different ports on which nothing listens at this moment."""
    picks = random.SystemRandom().sample(OUTSIDE_EPHEMERAL_RANGES, k=MORE_PICKS + count)
    found = list(islice(filter(is_free, picks), count))
    if len(found) < count:
        raise ProcessError(f"No free port between 20000 and 32000 on {LOOPBACK}: stop some of the servers there.")
    return found


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno != EADDRINUSE:
                raise
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether a server accepts connections on the port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


Kind = Literal["pid", "folder"]


def leave_to_reaper(kind: Kind, what: object) -> None:
    """From now on this process or folder goes when the calling process does."""
    _tell_reaper(f"+{kind} {what}")


def take_from_reaper(kind: Kind, what: object) -> None:
    """This process or folder is gone, or is to stay."""
    _tell_reaper(f"-{kind} {what}")


def _tell_reaper(line: str) -> None:
    pipe = _reaper_of(os.getpid())
    pipe.write(f"{line}\n")
    pipe.flush()


@cache
def _reaper_of(parent: int) -> IO[str]:
    """The input of this process's reaper. The pid is the key, so that a forked child starts a reaper of its own."""
    reaper = subprocess.Popen(
        [sys.executable, "-I", __file__], stdin=subprocess.PIPE, text=True, start_new_session=True, cwd="/"
    )
    if reaper.stdin is None:
        raise RuntimeError(f"the reaper of {parent} has no pipe")
    # Set here although it still runs: it outlives its parent by design, and Popen warns about a child not waited for.
    reaper.returncode = 0
    atexit.register(reaper.stdin.close)
    return reaper.stdin


def reap(lines: Iterable[str]) -> None:
    """Follow the lines to their end, then end and remove what is still listed."""
    listed: dict[str, None] = {}
    for line in lines:
        sign, entry = line[0], line[1:].rstrip("\n")
        listed.update({entry: None}) if sign == "+" else listed.pop(entry, None)
    # Processes first: one that still runs could write into a folder while it is removed.
    for entry in sorted(listed, reverse=True):
        kind, _, value = entry.partition(" ")
        _kill(int(value)) if kind == "pid" else shutil.rmtree(Path(value), ignore_errors=True)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    reap(sys.stdin)
