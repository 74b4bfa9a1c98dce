"""The environment of the peers: what they need is not in the project's lock, and contradicts it.

In: `requirements.txt` beside this file (exact versions, hashes, no addresses). Out: a Python that has the peers.
Never: a package in the project's own `.venv`.

To write `requirements.txt` again:
`uv pip compile --python-version 3.11 --universal --generate-hashes --no-header -o requirements.txt requirements.in`.
"""

import sys
from functools import cache
from pathlib import Path

from deploy.local.console import PartsError, announced
from deploy.local.places import fingerprint, one_at_a_time, parts_folder
from deploy.local.venv import run

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
#: Bytewax 0.21.1, the last one, has wheels for Python 3.8 to 3.12.
NEWEST_PYTHON = (3, 12)


@cache
def peers_python() -> Path:
    """The Python with Quix Streams and Bytewax, in `.parts`; made when it is not there."""
    if sys.version_info[:2] > NEWEST_PYTHON:
        raise PartsError(
            f"Bytewax has no wheel for Python {sys.version_info.major}.{sys.version_info.minor}. "
            "Run with Python 3.11 or 3.12, or leave Quix Streams and Bytewax out with --runners."
        )
    folder = parts_folder() / f"peers-{fingerprint(REQUIREMENTS)}"
    with one_at_a_time("peers"):
        if not (folder / "complete").exists():
            with announced("Installing Quix Streams and Bytewax into .parts (300 MB)"):
                _make(folder)
    return folder / "bin" / "python"


def _make(folder: Path) -> None:
    python = str(folder / "bin" / "python")
    run([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "-r", str(REQUIREMENTS)])
    (folder / "complete").touch()
