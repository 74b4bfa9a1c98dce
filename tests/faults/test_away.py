"""Broker or database away: the processes wait, say so in health, lose nothing and continue."""

from pathlib import Path

import pytest

from deploy.local.postgres import Postgres
from deploy.testbed.builders import a_checkin
from deploy.testbed.kafka import Kafka
from deploy.testbed.postgres import new_database
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until

pytestmark = pytest.mark.kafka


def check_ins(cases: range) -> list[dict[str, object]]:
    return [a_checkin(1, subject=f"c-{case}", id=f"e-{case}") for case in cases]


def is_waiting_for(system: System, process: str, part: str) -> bool:
    waiting = system.health(process).get("waiting_for", [])
    return any(entry["part"] == part for entry in waiting)


def wait_until_it_waits(system: System, process: str, part: str) -> None:
    wait_until(
        lambda: is_waiting_for(system, process, part),
        30,
        lambda: f"{process} to wait for the {part}; it says {system.health(process)}\n{system.log_of(process)}",
    )
    assert system.running[process].running


def test_the_broker_goes_and_comes_back(broker_of_my_own: Kafka, processes: Processes, tmp_path: Path) -> None:
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite")
    system.create_topics().start("worker", "store", "exporter").wait_until_healthy("worker", "store", "exporter")
    system.send(check_ins(range(200)))
    broker_of_my_own.kill()
    for process in ("worker", "store", "exporter"):
        wait_until_it_waits(system, process, "broker")
    broker_of_my_own.start()
    system.send(check_ins(range(200, 400)))
    wait_until(lambda: system.counts().get("events") == 400, 90, lambda: f"400 events; {system.counts()}")
    wait_until(lambda: system.accepted_in_summaries() == 400, 90, lambda: f"400 in summaries\n{system.logs()}")
    system.wait_until_healthy("worker", "store", "exporter")


@pytest.mark.postgres
def test_the_database_goes_and_comes_back(
    broker_of_my_own: Kafka, database_of_my_own: Postgres, processes: Processes
) -> None:
    system = System(processes, broker_of_my_own.bootstrap, new_database(database_of_my_own))
    system.create_topics().start("worker", "store").wait_until_healthy("worker", "store")
    system.send(check_ins(range(100)))
    wait_until(lambda: system.counts().get("events") == 100, 30, "100 events in the store")
    database_of_my_own.kill()
    system.send(check_ins(range(100, 300)))
    wait_until_it_waits(system, "store", "database")
    database_of_my_own.start()
    wait_until(lambda: system.counts().get("events") == 300, 60, lambda: f"300 events; {system.counts()}")
    wait_until(lambda: system.accepted_in_summaries() == 300, 60, "300 events in the summaries")
    system.wait_until_healthy("store")
    assert system.counts()["rejected"] == 0


def test_the_store_may_start_before_its_broker_and_its_database(processes: Processes) -> None:
    with Kafka() as broker:
        bootstrap = broker.bootstrap
        broker.kill()
        system = System(processes, bootstrap, "postgresql+psycopg://nobody@127.0.0.1:1/none")
        system.start("store", "worker", "exporter")
        wait_until_it_waits(system, "store", "database")
        wait_until_it_waits(system, "worker", "broker")
        wait_until_it_waits(system, "exporter", "broker")
