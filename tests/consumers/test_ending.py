"""A consumer that is told to end while its broker is away ends at once: compose kills after some seconds.

One that a broker answers, and no more, says that it waits, and keeps nothing of its attempts.
"""

import gc
import signal
import threading
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from consumers import loop
from deploy.local.ports import LOOPBACK
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from pipeline.runtime.health import Health
from pipeline.runtime.http import listen

#: Nobody listens there.
NOWHERE = "127.0.0.1:1"
#: kafka-python alone would take half a minute.
SECONDS = 5.0
DESCRIPTORS = Path("/proc/self/fd")


@pytest.mark.parametrize("room", ["store", "exporter", "notifier"])
def test_it_ends_at_once_though_its_broker_is_away(room: str, processes: Processes, tmp_path: Path) -> None:
    system = System(processes, NOWHERE, f"sqlite:///{tmp_path}/store.sqlite").start(room)
    wait_until(
        lambda: "no broker answers" in str(system.health(room)), 30, lambda: f"it to wait: {system.log_of(room)}"
    )
    process = system.running[room]
    process.send(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert "kafka." not in process.output(), "it asked kafka-python for a broker that is not there"
    assert "No broker answers; waiting, nothing is lost." in process.output()


def test_a_consumer_that_cannot_be_made_leaves_no_thread_and_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "BOOTSTRAP_MS", 100)
    with listen(LOOPBACK, 0) as silent:
        gc.collect()
        threads, descriptors = threading.enumerate(), list(DESCRIPTORS.iterdir())
        with pytest.raises(KafkaTimeoutError):
            loop.Consumer(bootstrap_servers=f"{LOOPBACK}:{silent.getsockname()[1]}", group_id=None)
        gc.collect()
        assert threading.enumerate() == threads
        assert len(list(DESCRIPTORS.iterdir())) == len(descriptors)


class Answering:
    """A consumer that has been made."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}


def test_a_broker_that_answers_and_gives_no_consumer_is_waited_for_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_there(brokers: str, health: Health) -> bool:
        health.has("broker")
        return True

    monkeypatch.setattr(loop, "probe_broker", is_there)
    stop, health = threading.Event(), Health("t")
    reports: list[str] = []

    def follow() -> None:
        reports.append(str(health.report()))
        if len(reports) < 3:
            raise KafkaTimeoutError
        found = loop.partitions_of(Answering(), ["t"], health, stop)
        assert found == [TopicPartition("t", 0)]
        stop.set()

    loop.while_wanted(stop, {"bootstrap_servers": NOWHERE}, health, follow)
    assert ["'part': 'log'" in report for report in reports] == [False, True, True]
    assert health.waiting() == []
