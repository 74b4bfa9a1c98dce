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
    """A port on which somebody listens."""
    with listen(LOOPBACK, 0) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@each_process
def test_a_port_that_is_taken_is_told_of(process: str, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ALLIANCE_{process.upper()}_PORT", str(taken))
    told = CliRunner().invoke(main, [process])
    assert (told.exit_code, told.output) == (
        2,
        f"Error: The {process} cannot listen at {LOOPBACK}:{taken}, ALLIANCE_{process.upper()}_PORT={taken} (Address "
        "already in use). End the process that listens there, or set it to another port.\n",
    )


#: An address of documentation, which no machine has; a name that is none.
@each_process
@pytest.mark.parametrize("host", ["192.0.2.1", "::g"])
def test_a_host_that_is_none_of_this_machine_is_told_of(
    process: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLIANCE_HOST", host)
    told = CliRunner().invoke(main, [process])
    assert told.exit_code == 2, told.output
    assert told.output.startswith(f"Error: The {process} cannot listen at {host}:")
    assert f"ALLIANCE_HOST={host} (" in told.output
    assert told.output.endswith("Set it to an address of this machine, such as 127.0.0.1, or to 0.0.0.0 for all.\n")


@pytest.mark.kafka
def test_an_open_port_is_no_broker(kafka: Kafka) -> None:
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
        # For as long as whoever asked might hang up, content with the first piece.
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
def test_what_can_be_no_name_is_no_broker(name: str) -> None:
    assert not is_kafka(f"{name}:9092")
    assert not is_reachable(f"{name}:9092")
