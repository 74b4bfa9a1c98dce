"""`deploy/local` makes the project's environment, so it runs with nothing but Python."""

import subprocess
import sys

import pytest

from deploy.local.places import ROOT

MODULES = sorted(path.stem for path in (ROOT / "deploy" / "local").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("module", MODULES)
def test_a_python_without_packages_can_import_it(module: str) -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import deploy.local.{module}"
    # -I: nothing of this environment; -S: no installed package, only the standard library.
    answer = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
