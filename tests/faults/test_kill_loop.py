"""Any process is killed at any time while events come in; the store equals the reference, everybody is told."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from consumers.store import tables
from deploy.testbed.alertmanager import Alertmanager
from deploy.testbed.kafka import Kafka
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import pace, wait_until
from tests.faults.conftest import fresh_system
from tests.support import reference
from tests.support.audit import Audit
from tests.support.load import coming_in
from tests.support.reference import assert_all_open_flags_are_alerts, assert_equals_the_reference, practice
from tests.support.sizes import sized

pytestmark = pytest.mark.kafka

KILLS = sized(15, 30)
MOST_SECONDS_BETWEEN = sized(3.0, 24.0)
#: By night a million.
EVENTS = sized(10_000, 1_000_000)
DRAIN_SECONDS = sized(reference.DRAIN_SECONDS, 1800.0)
EVENTS_A_SECOND = sized(600, 2_500)


def test_the_store_equals_the_reference_though_every_process_is_killed_at_random(
    lasting_broker: Kafka, processes: Processes, alertmanager: Alertmanager, chance: random.Random, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path}/store.sqlite"
    first = fresh_system(lasting_broker, processes, database, ALLIANCE_ALERTMANAGER=alertmanager.url)
    first.start("worker", "store", "notifier", "exporter")
    second = first.another().start("worker", "store")
    victims = [(first, room) for room in first.running] + [(second, room) for room in second.running]
    events = practice(weeks=sized(12, 52), therapists=sized(20, 600), seed=31)[:EVENTS]
    assert len(events) == EVENTS
    audit = Audit(first)
    with coming_in(first, events, EVENTS_A_SECOND):
        for system, room in order(victims, chance):
            pace(chance.uniform(0.1, MOST_SECONDS_BETWEEN))
            system.kill(room)
            system.start(room)
            assert audit.gaps() == []
    assert_equals_the_reference(first, DRAIN_SECONDS)
    assert audit.gaps() == []
    assert_all_open_flags_are_alerts(first, alertmanager)
    assert_the_exporter_shows_every_active_therapist(first)


def order(victims: list[tuple[System, str]], chance: random.Random) -> Iterator[tuple[System, str]]:
    """Each process at least once, in any order."""
    chosen = [*victims, *chance.choices(victims, k=KILLS - len(victims))]
    chance.shuffle(chosen)
    return iter(chosen)


def assert_the_exporter_shows_every_active_therapist(system: System) -> None:
    engine = system.engine()
    with engine.connect() as connection:
        rows = connection.execute(select(tables.therapists)).all()
    engine.dispose()
    wanted = {(row.therapist_id, float(row.active_cases)) for row in rows if row.active_cases}

    def shown() -> set[tuple[str, float]]:
        samples = system.metric("exporter", "alliance_therapist_active_cases")
        return {(labels.split('therapist="')[1].split('"')[0], value) for labels, value in samples.items() if value}

    wait_until(lambda: shown() == wanted, 30, lambda: f"{len(wanted)} therapists; differing: {shown() ^ wanted}")
