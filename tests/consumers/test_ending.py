"""A consumer that is told to end while its broker is away ends at once: compose kills after some seconds."""

import signal
from pathlib import Path

import pytest

from tests.support.processes import Processes
from tests.support.system import System
from tests.support.waiting import wait_until

#: Nobody listens there.
NOWHERE = "127.0.0.1:1"
#: kafka-python alone would take half a minute.
SECONDS = 5.0


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
