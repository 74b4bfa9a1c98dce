"""The repository's root and the ignored folder `.parts`, which only one process may fill at a time.

In: the environment variable PARTS_FOLDER (optional). Out: paths and a lock.
Never: a path that exists only on one machine.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def parts_folder() -> Path:
    """The folder for fetched parts, created if it does not exist."""
    folder = Path(os.environ.get("PARTS_FOLDER") or ROOT / ".parts").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Hold the named lock across processes; it is released when the block or the process ends."""
    with (parts_folder() / f".{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint(*files: Path) -> str:
    """Twelve hex digits that change when the content of a file does."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
