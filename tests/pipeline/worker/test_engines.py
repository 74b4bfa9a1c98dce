"""One contract for both ways of taking records: sets (the fast one) and events (the plain one, the reference).

Crashes and rebalances are no part of it: over those the plain one is as exact as Faust's own commits, which may pass
over an event (docs/decisions/0008). tests/faults holds the fast one to more.
"""

from pathlib import Path

import pytest

from deploy.testbed.kafka import Kafka
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from tests.support.reference import assert_equals_the_reference, practice, wait_for_events

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("engine", ["sets", "events"])
def test_whatever_the_engine_the_store_equals_the_reference(
    engine: str, broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    events = practice(weeks=3, seed=29)
    half = len(events) // 2
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite", ALLIANCE_ENGINE=engine)
    system.create_topics()
    system.send(events[:half])
    system.send_records([(b"key", b"not JSON"), (b"key", None), (None, b"{}")])
    system.start("worker", "store")
    wait_for_events(system, half / 4)
    system.send(events[half:])
    assert_equals_the_reference(system)
    assert system.counts()["rejected"] == 3
