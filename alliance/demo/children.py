"""The processes of the system as children of the demonstration.

In: names of commands and one environment. Out: running processes, each with a log in a folder; a `ChildDied` as soon as
one of them ends by itself.
Never: a signal to a process that was not started here; a child that outlives us (`alliance.demo.leash`).
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import pipeline
from alliance.demo import leash
from alliance.demo.endings import DemoError, Stopped

#: How long all children together may take to end in order.
GRACE_SECONDS = 6.0
LAST_LINES = 12
_ROOT = Path(pipeline.__file__).parent.parent


class ChildDied(DemoError):
    """A child ended by itself; the message says which, how, and what it wrote last."""


class Children:
    """Starts commands of `alliance` and ends them together."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Logs go to `folder`/logs; the children run in `folder`, so that what they leave behind lies there."""
        self._folder = folder
        self._logs = folder / "logs"
        self._logs.mkdir()
        self._environment = {**_inherited(), **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._leash = _Leash()
        self._leash.tell(f"+folder {folder}")

    def start(self, command: str) -> None:
        """Start `alliance COMMAND` and return at once."""
        with self._log(command).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-u", "-m", "alliance.cli", command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._environment,
                # A session of its own: the Ctrl-C of a terminal reaches only us, and we end them in order.
                start_new_session=True,
            )
        self._leash.tell(f"+pid {process.pid}")
        self._running[command] = process

    def check(self) -> None:
        """Raise `ChildDied` if one of them has ended."""
        for command, process in self._running.items():
            code = process.poll()
            if code is not None:
                raise ChildDied(
                    f"The {command} {_ending(code)}; its log is {self._log(command)} and ends so:\n"
                    f"{self._last_words(command)}"
                )

    def keep_folder(self) -> None:
        """From now on the folder stays, however we end; without this it goes, unless something goes wrong."""
        self._leash.tell(f"-folder {self._folder}")

    def stop(self) -> None:
        """End all of them; those that take too long are killed."""
        for process in self._running.values():
            process.terminate()
        deadline = monotonic() + GRACE_SECONDS
        for process in self._running.values():
            _end(process, deadline - monotonic())
            self._leash.tell(f"-pid {process.pid}")
        self._running.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not issubclass(kind, Stopped):
            self.keep_folder()
        self.stop()
        self._leash.let_go()

    def _log(self, command: str) -> Path:
        return self._logs / f"{command}.log"

    def _last_words(self, command: str) -> str:
        lines = self._log(command).read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LAST_LINES:]) or "  (it wrote nothing)"


class _Leash:
    """The parent's end of `alliance.demo.leash`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", leash.__file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def tell(self, line: str) -> None:
        """Announce one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def let_go(self) -> None:
        """We are done; what is still announced is ended by it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _end(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ending(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _inherited() -> dict[str, str]:
    """Our environment without the settings of a real installation; the package is found also when not installed."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ALLIANCE_")}
    paths = [str(_ROOT), *filter(None, [ours.get("PYTHONPATH")])]
    return {**ours, "PYTHONPATH": os.pathsep.join(paths)}
