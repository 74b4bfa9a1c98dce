"""What the commands write for people and for logs."""

import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from alliance.cli import main
from deploy.testbed.kafka import Kafka
from deploy.testbed.processes import Processes
from deploy.testbed.system import System


def test_the_list_of_commands_cuts_no_description_off() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    assert "..." not in text.partition("Commands:")[2]
    assert all(f"\n  {name} " in text for name in main.commands)


@pytest.mark.kafka
def test_a_worker_writes_no_terminal_codes_into_a_log(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite").create_topics()
    system.start("worker").wait_until_healthy("worker")
    worker = system.running["worker"]
    worker.send(signal.SIGTERM)
    worker.wait(30)
    assert "\x1b" not in worker.output()
