"""The spine on real parts: what the store holds equals the independent reference, whatever is killed on the way."""

import random
from pathlib import Path

import pytest

from deploy.testbed.kafka import Kafka
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from tests.support.reference import assert_equals_the_reference, distinct_of, practice, wait_for_events

pytestmark = pytest.mark.kafka


def test_the_store_equals_the_reference_though_worker_and_store_are_killed_five_times(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    events = practice(weeks=12, seed=11)
    assert len(events) >= 20_000
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite")
    system.create_topics().start("worker", "store")
    chance = random.Random(5)
    fifth = len(events) // 5
    for turn in range(5):
        system.send(events[turn * fifth : (turn + 1) * fifth if turn < 4 else len(events)])
        wanted = 0.8 * chance.randrange(turn * fifth + 1, (turn + 1) * fifth)
        wait_for_events(system, wanted)
        for room in ("worker", "store"):
            system.kill(room)
        system.start("worker", "store")
    assert_equals_the_reference(system)


@pytest.mark.postgres
def test_the_store_on_postgresql_equals_the_reference(
    broker_of_my_own: Kafka, postgres_url: str, processes: Processes
) -> None:
    events = practice(weeks=12, seed=12)
    assert len(events) >= 20_000
    system = System(processes, broker_of_my_own.bootstrap, postgres_url)
    system.create_topics().start("worker", "store")
    system.send(events)
    assert_equals_the_reference(system)


def test_two_workers_share_the_partitions_and_one_goes_on_alone_when_the_other_is_killed(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    events = practice(weeks=3, seed=13)
    half = len(events) // 2
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite")
    system.create_topics().start("worker", "store").wait_until_healthy("worker", "store")
    system.send(events[: half // 2])
    with System(processes, broker_of_my_own.bootstrap, system.database).second_worker(system) as other:
        system.send(events[half // 2 : half])
        wait_until(
            lambda: sum(other.metric("worker", "alliance_events_total").values()) > 0,
            90,
            lambda: f"the second worker to do its share\n{other.logs()}",
        )
        system.kill("worker")
        system.send(events[half:])
        wait_for_events(system, distinct_of(events))
        assert_equals_the_reference(system)
