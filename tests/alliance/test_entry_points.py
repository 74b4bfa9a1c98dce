"""Which libraries each process loads: Faust belongs to the worker alone."""

import subprocess
import sys

import pytest

#: The modules that each process runs, as the command of that name imports them.
ENTRY_MODULES = {
    "store": ["alliance.cli", "consumers.store.run", "pipeline.runtime.kafka_clients"],
    "exporter": ["alliance.cli", "consumers.exporter.run", "pipeline.runtime.kafka_clients"],
    "notifier": ["alliance.cli", "consumers.notifier.run", "pipeline.runtime.kafka_clients"],
    "gateway": ["alliance.cli", "pipeline.ingest.gateway.app"],
    "topics": ["alliance.cli", "pipeline.runtime.topic_admin"],
    "send": ["alliance.cli", "pipeline.ingest.files.sender", "pipeline.runtime.kafka_clients"],
}


def _loads_faust(modules: list[str]) -> bool:
    program = f"import sys, {', '.join(modules)}; print('faust' in sys.modules)"
    return subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "True"


@pytest.mark.parametrize("process", sorted(ENTRY_MODULES))
def test_no_process_but_the_worker_loads_faust(process: str) -> None:
    assert not _loads_faust(ENTRY_MODULES[process])


def test_the_worker_loads_faust() -> None:
    assert _loads_faust(["pipeline.worker.app"])
