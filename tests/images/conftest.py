"""The engine, the images and the installation, each made once by the first test that needs it.

In: IMAGES_FOLDER (optional: a folder that stays, for a quicker second run). Out: fixtures; how long each step took.
Never: a container, a process or a temporary file that outlives the run.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images.bare_machine import BareMachine
from tests.images.base import has_base, make_base
from tests.images.engine import Engine, remove
from tests.images.installation import Installation
from tests.images.snapshot import clone, take_snapshot
from tests.images.stand_ins import build_bare, build_stand_ins
from tests.images.steps import step, table


def pytest_configure() -> None:
    """SIGTERM counts as Ctrl-C, so that everything is taken down in good order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each step took."""
    terminalreporter.section("how long each step took")
    for line in table():
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """The folder of all of the test's data."""
    kept = os.environ.get("IMAGES_FOLDER")
    if kept:
        path = Path(kept).resolve()
        path.mkdir(parents=True, exist_ok=True)
        yield path
        return
    path = Path(tempfile.mkdtemp(prefix="alliance-images-"))
    yield path
    with step("removing the temporary data"):
        remove(path)


@pytest.fixture(scope="session")
def engine(folder: Path) -> Iterator[Engine]:
    """A running Docker engine that has the base image."""
    running = Engine(folder)
    try:
        with step("starting a Docker engine of its own"):
            running.start()
        if not has_base(running):
            with step("the base image by debootstrap"):
                make_base(running)
        yield running
    finally:
        with step("stopping the Docker engine by its own process id"):
            running.close()


@pytest.fixture(scope="session")
def snapshot(folder: Path) -> Path:
    """The working tree as a git repository to clone."""
    shutil.rmtree(folder / "snapshot.git", ignore_errors=True)
    return take_snapshot(folder)


@pytest.fixture(scope="module")
def installation(engine: Engine, snapshot: Path, folder: Path) -> Iterator[Installation]:
    """The compose file, up and well."""
    build_stand_ins(engine)
    shutil.rmtree(folder / "checkout", ignore_errors=True)
    made = Installation(engine, clone(snapshot, folder / "checkout"))
    try:
        made.prepare()
        with step("docker-compose up, until every health check is healthy"):
            made.up()
        yield made
    finally:
        with step("docker-compose down with the volumes"):
            made.down("--volumes", "--remove-orphans")


@pytest.fixture(scope="module")
def bare_machine(engine: Engine, snapshot: Path) -> Iterator[BareMachine]:
    """A container with Python, make and git, and a clone of the working tree."""
    with step("a bare Debian with python3, make and git"):
        build_bare(engine)
    machine = BareMachine(engine)
    machine.start(snapshot)
    try:
        yield machine
    finally:
        machine.remove()
