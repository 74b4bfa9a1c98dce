"""What is published, installed into an empty environment: it runs the demonstration there. `make test-packages`.

In: the working tree, packages from wherever pip gets them. Out: a wheel and a source distribution that work.
Never: the project's own `.venv` or working tree while the demonstration runs; a version that is not locked.
"""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from deploy.local.places import ROOT

#: A project that begins a line of the lock, with its version and, if any, the Pythons for which it is.
LOCKED = re.compile(r"^[A-Za-z0-9][^\\]*", re.MULTILINE)


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution of the working tree, and the locked versions."""
    folder = tmp_path_factory.mktemp("distributions")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    locked = LOCKED.findall((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    (folder / "constraints.txt").write_text("".join(f"{line.strip()}\n" for line in locked), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("pattern", "extras", "gateway"), [("*.whl", "demo", "left out, it needs "), ("*.tar.gz", "demo,gateway", "http:")]
)
def test_the_demonstration_runs_in_an_empty_environment(
    pattern: str, extras: str, gateway: str, distributions: Path, tmp_path: Path
) -> None:
    programs = installed(next(distributions.glob(pattern)), extras, distributions / "constraints.txt", tmp_path)
    shown = run(programs / "alliance", "demo", "--once", "--weeks", "2", "--therapists", "3", cwd=tmp_path)
    assert re.search(r"^events +[\d,]+ sent = [\d,]+ archived \+", shown, re.MULTILINE), shown
    assert re.search(rf"^  gateway: {gateway}", shown, re.MULTILINE), shown


def installed(distribution: Path, extras: str, constraints: Path, folder: Path) -> Path:
    """The folder with the programs of a new environment that holds the distribution and what it needs."""
    venv.create(folder / "environment", with_pip=True)
    programs = folder / "environment" / "bin"
    run(programs / "pip", "install", "-q", "-c", constraints, f"{distribution}[{extras}]", cwd=folder)
    return programs


def run(*command: str | Path, cwd: Path) -> str:
    """What a command writes; it knows nothing of the working tree, and its own output explains a failure."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(("ALLIANCE_", "PYTHON"))}
    answer = subprocess.run(list(map(str, command)), cwd=cwd, env=foreign, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout
