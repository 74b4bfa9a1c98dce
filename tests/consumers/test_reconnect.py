"""A consumer whose broker is away waits and says so, and ends at once when it is stopped (compose kills it soon)."""

import signal
import threading
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from consumers import broker_watch
from consumers.reconnect import run_until_stopped
from consumers.topic_wait import wait_for_partitions
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from pipeline.runtime.health import Health

#: No process listens there.
NOWHERE = "127.0.0.1:1"
#: kafka-python alone would take half a minute.
SECONDS = 5.0


@pytest.mark.parametrize("process", ["store", "exporter", "notifier"])
def test_it_ends_at_once_even_if_its_broker_is_away(process: str, processes: Processes, tmp_path: Path) -> None:
    system = System(processes, NOWHERE, f"sqlite:///{tmp_path}/store.sqlite").start(process)
    wait_until(
        lambda: "no broker answers" in str(system.health(process)), 30, lambda: f"it to wait: {system.log_of(process)}"
    )
    running = system.running[process]
    running.send(signal.SIGTERM)
    assert running.wait(SECONDS) == 0
    assert "kafka." not in running.output(), "it asked kafka-python for a broker that is not there"
    assert "No broker answers; waiting, nothing is lost." in running.output()


class Answering:
    """A consumer that has been created."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}


def test_waiting_for_a_broker_that_answers_but_gives_no_access_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_there(brokers: str, health: Health) -> bool:
        health.has("broker")
        return True

    monkeypatch.setattr(broker_watch, "probe_broker", is_there)
    stop, health = threading.Event(), Health("t")
    reports: list[str] = []

    def consume() -> None:
        reports.append(str(health.report()))
        if len(reports) < 3:
            raise KafkaTimeoutError
        found = wait_for_partitions(Answering(), ["t"], health, stop)
        assert found == [TopicPartition("t", 0)]
        stop.set()

    run_until_stopped(stop, {"bootstrap_servers": NOWHERE}, health, consume)
    assert ["'part': 'log'" in report for report in reports] == [False, True, True]
    assert health.waiting() == []
