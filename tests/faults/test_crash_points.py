"""A process ends at every named point, each proved reached by its exit code; the store equals the reference."""

from itertools import zip_longest
from pathlib import Path

import pytest

from deploy.testbed.alertmanager import Alertmanager
from deploy.testbed.kafka import Kafka
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from tests.faults.conftest import fresh_system
from tests.support.crash_points import start_crashing
from tests.support.crashing import REACHED, points_of
from tests.support.reference import assert_all_open_flags_are_alerts, assert_equals_the_reference, practice
from tests.support.sizes import sized

pytestmark = pytest.mark.kafka

#: How often each point is reached.
TURNS = sized(1, 50)
#: Events sent for each crash.
SHARE = 200
REACHED_SECONDS = 120


def test_the_store_equals_the_reference_though_every_process_ends_at_each_of_its_points(
    lasting_broker: Kafka, processes: Processes, alertmanager: Alertmanager, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path}/store.sqlite"
    system = fresh_system(lasting_broker, processes, database, ALLIANCE_ALERTMANAGER=alertmanager.url)
    ways = [points_of(command) * TURNS for command in ("worker", "store", "notifier")]
    turns = list(zip_longest(*ways))
    events = practice(weeks=24, therapists=sized(3, 120), seed=21)[: SHARE * (len(turns) + 1)]
    assert len(events) == SHARE * (len(turns) + 1)
    for number, (worker, store, notifier) in enumerate(turns):
        system.send(events[number * SHARE : (number + 1) * SHARE])
        crash_at(system, {"worker": worker, "store": store, "notifier": notifier})
    system.start("worker", "store", "notifier").send(events[len(turns) * SHARE :])
    assert_equals_the_reference(system)
    assert_all_open_flags_are_alerts(system, alertmanager)


def crash_at(system: System, points: dict[str, str | None]) -> None:
    """Start the processes that have a point left, the others as they are, and see each end where it was to end."""
    meant = {command: point for command, point in points.items() if point is not None}
    for command, point in meant.items():
        start_crashing(system, command, point)
    if points["store"] is None:
        system.start("store")
    if points["worker"] == "in-rebalance":
        # The first worker's partitions are revoked when a second one joins.
        system.wait_until_healthy("worker")
        with system.another().second_worker(system):
            await_ends(system, meant)
    else:
        await_ends(system, meant)
    if points["store"] is None:
        system.kill("store")


def await_ends(system: System, meant: dict[str, str]) -> None:
    for command, point in meant.items():
        crashed = system.running[command]
        wait_until(lambda: not crashed.running, REACHED_SECONDS, lambda: f"{command} at {point}:\n{crashed.output()}")  # noqa: B023
        assert crashed.exit_code == REACHED, f"{command} did not reach {point}:\n{crashed.output()}"
