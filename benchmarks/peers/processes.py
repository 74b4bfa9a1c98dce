"""What a process and its children have used (Linux).

In: a process id. Out: CPU seconds, peak memory.
Never: a process that this benchmark did not start.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """CPU seconds, user and system, of all threads and of children that have ended; peak resident megabytes."""

    cpu_seconds: float
    peak_mb: float


def usage(pid: int) -> Usage:
    """The usage of the process and all below it."""
    tree = [pid, *_below(pid)]
    return Usage(sum(map(_cpu_seconds, tree)), sum(map(_peak_mb, tree)))


def _below(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        # A thread may end while we look.
        with suppress(FileNotFoundError):
            children += map(int, (task / "children").read_text(encoding="ascii").split())
    return [*children, *(grandchild for child in children for grandchild in _below(child))]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
