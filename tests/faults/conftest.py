"""What the fault tests share: chance with a seed that is told, a broker that only our own processes are killed on.

In: FAULTS_SEED, FAULTS. Out: fixtures; a line in each failure that runs the same again.
Never: a broker that a test of this fixture stops; a topic that the test before has left.
"""

import os
import random
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from deploy.testbed.kafka import Kafka, delete_topics, topic_names, unique_name
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from tests.support.sizes import IS_LONG

SEED = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(10_000) if IS_LONG else 1))
#: A killed member of a group is missed after this long.
SESSION_SECONDS = "3"


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """The dice of one test; by night with another seed each run, which is printed."""
    sys.stdout.write(f"seed {SEED}; again: {again(request.node.nodeid)}\n")
    return random.Random(SEED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under each failure the line that runs the same again."""
    report = yield
    if report.failed:
        report.sections.append(("run the same again", again(item.nodeid)))
    return report


def again(nodeid: str) -> str:
    """One line for a shell."""
    size = "FAULTS=long " if IS_LONG else ""
    return f"{size}FAULTS_SEED={SEED} .venv/bin/python -m pytest '{nodeid}'"


@pytest.fixture(scope="session")
def lasting_broker() -> Iterator[Kafka]:
    """One broker for all tests that leave the broker alone."""
    with Kafka() as broker:
        yield broker


@pytest.fixture
def system(lasting_broker: Kafka, processes: Processes, tmp_path: Path) -> System:
    """An installation on SQLite with fresh topics and groups of its own; nothing runs yet."""
    return fresh_system(lasting_broker, processes, f"sqlite:///{tmp_path}/store.sqlite")


def fresh_system(broker: Kafka, processes: Processes, database: str, **settings: str) -> System:
    """The same on a database of the test's choice."""
    left = topic_names(broker.bootstrap)
    if left:
        delete_topics(broker.bootstrap, left)
    app_id = unique_name("faults")
    system = System(
        processes,
        broker.bootstrap,
        database,
        ALLIANCE_APP_ID=app_id,
        ALLIANCE_SESSION_TIMEOUT_SECONDS=SESSION_SECONDS,
        **settings,
    )
    return system.create_topics()
