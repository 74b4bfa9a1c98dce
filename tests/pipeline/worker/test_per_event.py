"""The worker gives the same results whether it fetches record sets or, as Faust does by default, single events.

Crashes and rebalances are not compared: there the second way is only as exact as Faust's own commits, which may skip an
event (docs/decisions/0008). tests/faults requires more of the worker.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.testbed.kafka import Kafka
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from tests.support.reference import assert_equals_the_reference, practice, wait_for_events

pytestmark = pytest.mark.kafka


@pytest.fixture(params=["alliance.cli", "deploy.testbed.per_event"])
def processes_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Processes]:
    """Processes that run the worker in one of the two ways."""
    processes = Processes(tmp_path, entry=request.param)
    yield processes
    processes.close()


def test_the_store_equals_the_reference_however_the_worker_fetches(
    broker_of_my_own: Kafka, processes_of: Processes, tmp_path: Path
) -> None:
    events = practice(weeks=3, seed=29)
    half = len(events) // 2
    system = System(processes_of, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite")
    system.create_topics()
    system.send(events[:half])
    system.send_records([(b"key", b"not JSON"), (b"key", None), (None, b"{}")])
    system.start("worker", "store")
    wait_for_events(system, half / 4)
    system.send(events[half:])
    assert_equals_the_reference(system)
    assert system.counts()["rejected"] == 3
