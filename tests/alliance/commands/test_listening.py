"""A process that cannot listen names the setting that is wrong, its value and the way out, and ends with code 2."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from alliance.cli import main
from pipeline.runtime.http import listen
from pipeline.runtime.processes import LOOPBACK

PROCESSES = ("worker", "store", "exporter", "notifier", "gateway")

each_process = pytest.mark.parametrize("process", PROCESSES)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another process listens."""
    with listen(LOOPBACK, 0) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@each_process
def test_a_port_that_is_taken_is_reported(process: str, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ALLIANCE_{process.upper()}_PORT", str(taken))
    result = CliRunner().invoke(main, [process])
    assert (result.exit_code, result.output) == (
        2,
        f"Error: The {process} cannot listen at {LOOPBACK}:{taken} (Address already in use). End the process that "
        f"listens there, or change ALLIANCE_{process.upper()}_PORT={taken}.\n",
    )


#: An address for documentation, which no machine has; a name that cannot exist.
@each_process
@pytest.mark.parametrize("host", ["192.0.2.1", "::g"])
def test_a_host_that_is_not_of_this_machine_is_reported(
    process: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLIANCE_HOST", host)
    result = CliRunner().invoke(main, [process])
    assert result.exit_code == 2, result.output
    assert result.output.startswith(f"Error: The {process} cannot listen at {host}:")
    assert result.output.endswith(
        f"Change ALLIANCE_HOST={host} to an address of this machine, such as 127.0.0.1, or to 0.0.0.0 for all.\n"
    )
