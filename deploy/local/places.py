"""Where things are: the repository's root and the ignored folder for parts; one process at a time may fill
it.

In: the environment variable PARTS_FOLDER (optional). Out: paths and a lock.
Never: a path of one machine.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def parts_folder() -> Path:
    """The folder that fetched parts live in, made if need be."""
    folder = Path(os.environ.get("PARTS_FOLDER") or ROOT / ".parts").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Holds the named lock across processes; it is let go when the block ends or the process dies."""
    with (parts_folder() / f".{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint(*files: Path) -> str:
    """Twelve hex digits that change when the content of a file does."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
