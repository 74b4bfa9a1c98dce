"""A process that cannot listen names the setting that is wrong, its value and the way out, and ends with code 2."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from alliance.cli import main
from deploy.testbed.kafka import Kafka
from pipeline.runtime.broker_probe import API_VERSIONS, is_kafka, is_reachable
from pipeline.runtime.health import Health
from pipeline.runtime.http import listen, serve
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


@pytest.mark.kafka
def test_an_open_port_is_not_a_broker(kafka: Kafka) -> None:
    http = serve(LOOPBACK, 0, Health("test"), CollectorRegistry())
    try:
        assert not is_kafka(f"{LOOPBACK}:{http.server_port}")
        assert is_kafka(f"{LOOPBACK}:{http.server_port}, {kafka.bootstrap}")
    finally:
        http.shutdown()
        http.server_close()


def answer_in_two_pieces(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        request = connection.recv(len(API_VERSIONS))
        connection.sendall(bytes(4))
        # Long enough for a client that is content with the first piece to close the connection.
        connection.settimeout(0.3)
        try:
            connection.recv(1)
        except TimeoutError:
            connection.sendall(request[8:12])


def test_an_answer_in_two_pieces_is_a_brokers() -> None:
    with listen(LOOPBACK, 0) as listener:
        broker = threading.Thread(target=answer_in_two_pieces, args=[listener])
        broker.start()
        try:
            assert is_kafka(f"{LOOPBACK}:{listener.getsockname()[1]}")
        finally:
            broker.join()


@pytest.mark.parametrize("name", ["kafka..local", "x" * 64])
def test_an_impossible_host_name_is_not_a_broker(name: str) -> None:
    assert not is_kafka(f"{name}:9092")
    assert not is_reachable(f"{name}:9092")
