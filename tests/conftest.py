"""The real parts that tests ask for by name.

In: nothing; what is missing is fetched. Out: one Kafka and one PostgreSQL for the whole run, each started by
the first test that needs it, and brokers, an Alertmanager and processes that one test may break. Never: a part that
outlives the run.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from deploy.testbed.alertmanager import Alertmanager, configuration
from deploy.testbed.kafka import Kafka
from deploy.testbed.postgres import Postgres, new_database
from deploy.testbed.processes import Processes
from deploy.testbed.webhook import Webhook
from tests.support import safeguards

# The same examples at every run: a test that fails for one of them fails for everybody.
settings.register_profile("same-for-all", derandomize=True, deadline=None)
settings.load_profile("same-for-all")
# Does nothing unless FAULTS_WITHOUT names a safeguard.
safeguards.remove_named()


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """One real broker for the run; a test makes topics of its own in it and never stops it."""
    with Kafka() as broker:
        yield broker


@pytest.fixture
def broker_of_my_own() -> Iterator[Kafka]:
    """A real broker for this test alone, to stop, kill and restart."""
    with Kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One real server for the run; a test never stops it."""
    with Postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The SQLAlchemy URL of an empty database for this test alone."""
    return new_database(postgres)


@pytest.fixture
def database_of_my_own() -> Iterator[Postgres]:
    """A real server for this test alone, to stop, kill and restart."""
    with Postgres() as server:
        yield server


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts the project's commands as processes of this test; what still runs after it is killed."""
    started = Processes(tmp_path, "tests.support.crashing" if safeguards.is_broken() else "alliance.cli")
    yield started
    started.close()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A receiver of Alertmanager's notifications."""
    with Webhook() as receiver:
        yield receiver


@pytest.fixture
def alertmanager(webhook: Webhook) -> Iterator[Alertmanager]:
    """A real Alertmanager for this test alone, with the shipped routes; every receiver is the webhook."""
    with Alertmanager(configuration(webhook)) as server:
        yield server
