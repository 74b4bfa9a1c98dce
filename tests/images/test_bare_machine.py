"""The README's two commands on a machine that has Python, make and git, and nothing else of what they need."""

import os
import re

from tests.images.bare_machine import BareMachine
from tests.images.steps import step

#: Schemas, contracts and documents; the store's laws against a real PostgreSQL; a real Kafka, killed and restarted; a
#: real Prometheus and Alertmanager.
QUICK = (
    "-q tests/schemas tests/docs tests/deploy tests/support_tests tests/consumers "
    "tests/observability/test_alertmanager.py tests/observability/test_practice_figures.py"
)


def test_nothing_but_python_make_and_git_is_there_before(bare_machine: BareMachine) -> None:
    assert {
        name for name in ("python3", "make", "git", "java", "mvn", "pip", "postgres") if bare_machine.has(name)
    } == {
        "python3",
        "make",
        "git",
    }


def test_the_demo_runs_to_its_end_and_prints_its_summary(bare_machine: BareMachine) -> None:
    with step("make demo DEMO_ARGS=--once in the bare Debian"):
        exit_code, said = bare_machine.run("make", "demo", "DEMO_ARGS=--once")
    assert exit_code == 0
    assert re.search(r"[\d,]+ sent = [\d,]+ archived", said)


def test_the_tests_pass(bare_machine: BareMachine) -> None:
    chosen = "" if has_time() else QUICK
    with step(f"make test, {'a selection' if chosen else 'everything'}, in the bare Debian"):
        exit_code, said = bare_machine.run("make", "test", f"PYTEST_ARGS={chosen}")
    assert exit_code == 0
    assert " passed" in said
    assert " skipped" not in said


def has_time() -> bool:
    """Whether every test is to be run there."""
    return os.environ.get("FULL") == "1"
