"""Nothing outlives the demonstration: a small process that ends its children if it dies itself.

In: lines on standard input, `+pid N`, `-pid N`, `+folder PATH`, `-folder PATH`; their end means that the parent is
gone, however it went. Out: SIGKILL to every pid still listed, and the removal of every folder still listed.
Never: a signal to a process that was not announced; an import beyond the standard library (it runs as a plain file).
"""

import os
import shutil
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def hold(lines: Iterable[str]) -> None:
    """Follow the announcements to their end, then end and remove what is left."""
    left: dict[str, None] = {}
    for line in lines:
        sign, what = line[:1], line[1:].rstrip("\n")
        if sign == "+":
            left[what] = None
        else:
            left.pop(what, None)
    for what in left:
        kind, _, value = what.partition(" ")
        if kind == "pid":
            with suppress(ProcessLookupError):
                os.kill(int(value), signal.SIGKILL)
        else:
            shutil.rmtree(Path(value), ignore_errors=True)


if __name__ == "__main__":
    hold(sys.stdin)
