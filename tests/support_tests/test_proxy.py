"""The proxy does to a connection what it says, and no byte is lost while it lasts."""

import random
import socket
import socketserver
import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from pipeline.runtime.processes import LOOPBACK, free_port
from tests.support.proxy import FAIR, Proxy, Weather

TEXT = b"what goes in comes out " * 2000


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that is reset is what these tests are about."""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Server((LOOPBACK, 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with Proxy(random.Random(1), free_port()).to(server.server_address[1]) as carried:
            yield carried
        server.shutdown()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection((LOOPBACK, proxy.port), timeout=10) as connection:
        yield connection


def echoed(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text)
    back = b""
    while len(back) < len(text):
        back += client.recv(65536)
    return back


def test_in_fair_weather_every_byte_arrives(client: socket.socket) -> None:
    assert echoed(client, TEXT) == TEXT


def test_latency_and_rate_slow_it_down_and_change_nothing(proxy: Proxy, client: socket.socket) -> None:
    proxy.weather = Weather(latency_seconds=0.1, jitter_seconds=0.02)
    began = monotonic()
    assert echoed(client, b"short") == b"short"
    assert monotonic() - began >= 0.16
    proxy.weather = Weather(bytes_a_second=100_000)
    began = monotonic()
    assert echoed(client, TEXT) == TEXT
    assert monotonic() - began >= 0.4


def test_a_reset_is_seen_as_one(proxy: Proxy, client: socket.socket) -> None:
    proxy.weather = Weather(reset_share=1.0)
    with pytest.raises(ConnectionError):
        echoed_or_closed(client)
    assert proxy.resets == 1


def test_a_black_hole_lets_nothing_through_until_it_ends(proxy: Proxy, client: socket.socket) -> None:
    proxy.weather = Weather(is_black_hole=True)
    client.sendall(b"hello")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(10)
    proxy.weather = FAIR
    client.settimeout(10)
    assert client.recv(10) == b"hello"


def test_half_open_takes_what_is_sent_and_answers_nothing(proxy: Proxy, client: socket.socket) -> None:
    proxy.weather = Weather(is_half_open=True)
    client.sendall(b"hello")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(10)
    assert proxy.bytes_carried == 5


def test_a_half_close_ends_the_stream(proxy: Proxy, client: socket.socket) -> None:
    assert echoed(client, b"hello") == b"hello"
    proxy.half_close_all()
    assert client.recv(10) == b""


def echoed_or_closed(client: socket.socket) -> None:
    client.sendall(b"hello")
    if not client.recv(10):
        raise ConnectionResetError
