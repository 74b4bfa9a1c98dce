"""Nothing outlives us: a small process that ends our servers and removes our temporary folders if we die
first.

In: lines on its standard input, `+pid N`, `-pid N`, `+folder PATH`, `-folder PATH`; their end means that the
parent is gone, however it went. Out: a SIGKILL to each pid still listed, and the removal of each folder still
listed. Never: a signal to a process that was not announced.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO


def watch(kind: str, what: object) -> None:
    """From now on the pid or folder goes when this process does."""
    _tell(f"+{kind} {what}")


def forget(kind: str, what: object) -> None:
    """The pid or folder is gone by now, or no longer ours."""
    _tell(f"-{kind} {what}")


def _tell(line: str) -> None:
    pipe = _pipe(os.getpid())
    pipe.write(f"{line}\n")
    pipe.flush()


@cache
def _pipe(parent: int) -> IO[str]:
    # Keyed by the parent's pid: a forked child starts a reaper of its own.
    reaper = subprocess.Popen(
        [sys.executable, "-I", __file__], stdin=subprocess.PIPE, text=True, start_new_session=True, cwd="/"
    )
    if reaper.stdin is None:
        raise RuntimeError(f"the reaper of {parent} has no pipe")
    reaper.returncode = 0  # it outlives us by design, so nobody waits for it and nobody is warned
    atexit.register(reaper.stdin.close)
    return reaper.stdin


def reap(lines: IO[str]) -> None:
    """Follows the announcements to their end, then ends and removes what is left."""
    left: dict[str, None] = {}
    for line in lines:
        sign, what = line[0], line[1:].rstrip("\n")
        left.update({what: None}) if sign == "+" else left.pop(what, None)
    for what in left:
        kind, _, value = what.partition(" ")
        end_process(int(value)) if kind == "pid" else shutil.rmtree(Path(value), ignore_errors=True)


def end_process(pid: int) -> None:
    """Ends one process, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    reap(sys.stdin)
