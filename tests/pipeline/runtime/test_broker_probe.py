"""The broker probe: only a Kafka broker counts, and its answer may arrive in pieces."""

import socket
import threading

import pytest
from prometheus_client import CollectorRegistry

from deploy.testbed.kafka import Kafka
from pipeline.runtime.broker_probe import API_VERSIONS, is_kafka, is_reachable
from pipeline.runtime.health import Health
from pipeline.runtime.http import listen, serve
from pipeline.runtime.processes import LOOPBACK


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
