"""Which libraries each process loads: Faust belongs to the worker alone."""

import subprocess
import sys

import pytest

#: The modules that each process runs, as the command of that name imports them.
ENTRY_MODULES = {
    "store": ["pipeline.cli", "consumers.store.run", "pipeline.doors.log"],
    "exporter": ["pipeline.cli", "consumers.exporter.run", "pipeline.doors.log"],
    "notifier": ["pipeline.cli", "consumers.notifier.run", "pipeline.doors.log"],
    "gateway": ["pipeline.cli", "pipeline.doors.gateway"],
    "topics": ["pipeline.cli", "pipeline.doors.log"],
    "send": ["pipeline.cli", "pipeline.doors.send", "pipeline.doors.log", "pipeline.doors.producers"],
}


def _loads_faust(modules: list[str]) -> bool:
    program = f"import sys, {', '.join(modules)}; print('faust' in sys.modules)"
    return subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "True"


@pytest.mark.parametrize("process", sorted(ENTRY_MODULES))
def test_no_process_but_the_worker_loads_faust(process: str) -> None:
    assert not _loads_faust(ENTRY_MODULES[process])


def test_the_worker_loads_faust() -> None:
    assert _loads_faust(["pipeline.app"])
