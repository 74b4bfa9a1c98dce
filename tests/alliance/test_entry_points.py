"""Faust, and the two libraries below it, belong to the worker: no other process loads them or needs them installed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until

#: The modules that each process runs, as the command of that name imports them.
ENTRY_MODULES = {
    "store": ["alliance.cli", "consumers.store.run", "pipeline.runtime.kafka_clients"],
    "exporter": ["alliance.cli", "consumers.exporter.run", "pipeline.runtime.kafka_clients"],
    "notifier": ["alliance.cli", "consumers.notifier.run", "pipeline.runtime.kafka_clients"],
    "gateway": ["alliance.cli", "pipeline.ingest.gateway.app"],
    "topics": ["alliance.cli", "pipeline.runtime.topic_admin"],
    "send": ["alliance.cli", "pipeline.ingest.files.sender", "pipeline.runtime.kafka_clients"],
}
#: No process listens there.
NOWHERE = "127.0.0.1:1"


def _import(modules: list[str]) -> subprocess.CompletedProcess[str]:
    """Import the modules in a new interpreter in which Faust, mode and aiokafka cannot be imported."""
    program = f"import tests.support.without_faust as without, {', '.join(modules)}; assert not without.wanted"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("process", sorted(ENTRY_MODULES))
def test_no_process_but_the_worker_needs_faust(process: str) -> None:
    imported = _import(ENTRY_MODULES[process])
    assert imported.returncode == 0, imported.stderr


def test_the_worker_needs_faust() -> None:
    imported = _import(["pipeline.worker.app"])
    assert "ModuleNotFoundError: faust is not installed" in imported.stderr


@pytest.mark.parametrize("process", ["store", "exporter", "notifier"])
def test_a_consumer_starts_and_ends_without_faust(process: str, tmp_path: Path) -> None:
    processes = Processes(tmp_path, entry="tests.support.without_faust")
    try:
        system = System(processes, NOWHERE, f"sqlite:///{tmp_path}/store.sqlite").start(process)
        wait_until(
            lambda: "no broker answers" in str(system.health(process)),
            30,
            lambda: f"{process} to wait for its broker; it says {system.log_of(process)}",
        )
        system.running[process].send(signal.SIGTERM)
        assert system.running[process].wait(10) == 0
    finally:
        processes.close()
