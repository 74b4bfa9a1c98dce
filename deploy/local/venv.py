"""Makes `.venv`, the project's environment, and keeps it in step with `requirements.lock`.

In: the Python that runs this, `requirements.lock` (exact versions, each with its hash), `pyproject.toml`.
Out: `.venv` with the locked packages and the project itself, editable.
Never: a package that is not in the lock; an installation when `.venv` is up to date.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local.console import PartsError, announced, run_for_person
from deploy.local.packages import InstallHint, can_install, install
from deploy.local.places import ROOT, fingerprint, one_at_a_time

ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "made-from"
SOURCES = (ROOT / "requirements.lock", ROOT / "pyproject.toml")


def ensure_environment() -> None:
    """Make `.venv` complete and up to date; quick if it already is."""
    wanted = fingerprint(*SOURCES)
    with one_at_a_time("venv"):
        if is_current(wanted):
            return
        STAMP.unlink(missing_ok=True)
        if not runs(PYTHON):
            create()
        with announced("Installing the locked packages into .venv (440 MB)"):
            pip("--require-hashes", "-r", str(SOURCES[0]))
            pip("--no-deps", "--no-build-isolation", "-e", str(ROOT))
        STAMP.write_text(wanted)


def is_current(wanted: str) -> bool:
    """Whether the environment was made from these files and its Python still runs."""
    return STAMP.exists() and STAMP.read_text() == wanted and runs(PYTHON)


def runs(python: Path) -> bool:
    """Whether a Python starts (it does not after the system has replaced it)."""
    return python.exists() and subprocess.run([python, "-c", ""], check=False).returncode == 0


def create() -> None:
    """Make an empty environment from the Python that runs this."""
    need_ensurepip()
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    with announced(f"Making .venv with Python {sys.version.split()[0]}"):
        run([sys.executable, "-m", "venv", str(ENVIRONMENT)])


def need_ensurepip() -> None:
    """Debian keeps what venv needs in a separate package: install it as root, or say how."""
    if importlib.util.find_spec("ensurepip") is not None:
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    install("Python's venv module", (package,), hint=InstallHint(package, "python"))
    if can_install() and importlib.util.find_spec("ensurepip") is None:
        raise PartsError(f"{package} was installed, but {sys.executable} still has no ensurepip.")


def pip(*arguments: str) -> None:
    """Install into the environment, from where pip's own settings say."""
    run([str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments])


def run(command: list[str]) -> None:
    """Run a command whose own output explains a failure."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if subprocess.run(command, env=environment, check=False).returncode != 0:
        raise PartsError(f"`{' '.join(command[:5])} …` failed; its output above says why.")


if __name__ == "__main__":
    run_for_person(ensure_environment)
