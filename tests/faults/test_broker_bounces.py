"""The one broker is bounced under load, cleanly and hard: senders wait, nothing is lost, everybody comes back."""

import random
from pathlib import Path

import pytest

from deploy.testbed.kafka import Kafka
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import pace
from tests.support.load import coming_in, has_moved_on, stale_worker_started_again
from tests.support.reference import assert_equals_the_reference, practice
from tests.support.sizes import sized

pytestmark = pytest.mark.kafka

BOUNCES = sized(2, 5)
EVENTS = sized(3_000, 60_000)
EVENTS_A_SECOND = sized(150, 400)
BACK_SECONDS = 60
ROOMS = ("worker", "store", "exporter")


def test_the_store_equals_the_reference_though_the_broker_is_bounced(
    broker_of_my_own: Kafka, processes: Processes, chance: random.Random, tmp_path: Path
) -> None:
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite")
    system.create_topics().start(*ROOMS).wait_until_healthy(*ROOMS)
    events = practice(weeks=12, seed=51, therapists=sized(8, 150))[:EVENTS]
    assert len(events) == EVENTS
    with stale_worker_started_again(system):
        with coming_in(system, events, EVENTS_A_SECOND):
            for bounce in [broker_of_my_own.stop, broker_of_my_own.kill] * BOUNCES:
                pace(chance.uniform(0.5, 2.0))
                bounce()
                broker_of_my_own.start()
                has_moved_on(system, BACK_SECONDS)
        assert_equals_the_reference(system)
    system.wait_until_healthy(*ROOMS)
    assert all(system.running[room].running for room in ROOMS)
