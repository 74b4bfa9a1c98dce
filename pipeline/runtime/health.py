"""How a process is, for people and for health checks, over HTTP on a port of its own.

In: what each part of a process reports. Out: `/health` (200 or 503, JSON), `/metrics`; the answer to a POST.
Never: anything about a client; the life of the process itself.
"""

import errno
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector


class Reply(NamedTuple):
    """What becomes of a request: an HTTP status and one sentence for a person."""

    status: int
    sentence: str


class Health:
    """What the parts of one process wait for; safe to use from any thread."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[str, float]] = {}
        self._starting = True

    def is_ready(self) -> None:
        """The process has started its work."""
        with self._lock:
            self._starting = False

    def waits_for(self, part: str, why: str) -> None:
        """The part is away; the process waits and loses nothing."""
        with self._lock:
            if part not in self._waiting:
                self._waiting[part] = (why, time.monotonic())

    def has(self, part: str) -> None:
        """The part is there."""
        with self._lock:
            self._waiting.pop(part, None)

    def waiting(self) -> list[tuple[str, str, float]]:
        """Part, why, and for how many seconds."""
        now = time.monotonic()
        with self._lock:
            return [(part, why, now - since) for part, (why, since) in sorted(self._waiting.items())]

    def report(self) -> tuple[bool, dict[str, object]]:
        """Whether all is well, and the report as JSON."""
        waiting = [{"part": part, "why": why, "seconds": round(seconds, 1)} for part, why, seconds in self.waiting()]
        is_well = not waiting and not self._starting
        status = "ok" if is_well else "waiting" if waiting else "starting"
        return is_well, {"process": self._process, "status": status, "waiting_for": waiting}


class WaitingCollector(Collector):
    """What a process waits for, so that an alert can be raised; a process that waits for nothing has no series."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """For how long, by part."""
        family = GaugeMetricFamily(
            "alliance_process_waiting_seconds", "For how long the process has waited for a part.", labels=["part"]
        )
        for part, _, seconds in self._health.waiting():
            family.add_metric([part], seconds)
        return [family]


class CannotListen(Exception):
    """Nobody can listen at this address; `is_of_port`: another port would do, else it is the host that is wrong."""

    def __init__(self, why: str, *, is_of_port: bool) -> None:
        super().__init__(why)
        self.is_of_port = is_of_port


#: Of all that can be wrong with an address: somebody listens on the port, or it is for the administrator only.
PORT_IS_WRONG = (errno.EADDRINUSE, errno.EACCES)


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections; port 0 takes a free one."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = str(error.strerror).partition(" (while ")[0]
        raise CannotListen(why, is_of_port=error.errno in PORT_IS_WRONG) from None


#: The end of an OpenMetrics page; only one may stand there.
END = b"# EOF\n"
#: Level 9, as the library has it, costs ten times as much for a page a tenth smaller.
GZIP_LEVEL = 1


def metrics_page(accept: str, registry: CollectorRegistry, block: Callable[[], bytes] | None) -> tuple[str, bytes]:
    """Content type and body in the format that the client accepts; `block` gives further families, ready to send."""
    encoder, content_type = choose_encoder(accept)
    body = encoder(registry)
    if block is None:
        return content_type, body
    end = END if body.endswith(END) else b""
    return content_type, body.removesuffix(END) + block() + end


def serve(
    host: str,
    port: int,
    health: Health,
    registry: CollectorRegistry,
    block: Callable[[], bytes] | None = None,
    post: Callable[[str], Reply] | None = None,
) -> ThreadingHTTPServer:
    """Answer `/health`, `/metrics` and, with `post`, POST requests from threads; raises `CannotListen`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                content_type, body = metrics_page(self.headers.get("Accept", ""), registry, block)
                self._answer(200, content_type, body, may_compress=True)
            elif path in ("/health", "/ready"):
                is_well, report = health.report()
                self._answer(200 if is_well else 503, "application/json", json.dumps(report).encode())
            else:
                self._answer(404, "text/plain", b"There is /health and /metrics.\n")

        def do_POST(self) -> None:
            status, sentence = Reply(404, "Nothing is taken here.") if post is None else post(self.path)
            self._answer(status, "text/plain; charset=utf-8", f"{sentence}\n".encode())

        def _answer(self, status: int, content_type: str, body: bytes, *, may_compress: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            if may_compress and "gzip" in self.headers.get("Accept-Encoding", ""):
                body = gzip.compress(body, GZIP_LEVEL, mtime=0)
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not logged."""

    registry.register(WaitingCollector(health))
    listener = listen(host, port)
    server = ThreadingHTTPServer(listener.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_port = listener.getsockname()[1]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server


#: How long a broker that is well may take to answer.
ANSWER_SECONDS = 5.0
#: ApiVersions, version 0, with an empty client id: any broker answers it before anything else is said, with a length
#: and then the number of the request.
API_VERSIONS = bytes.fromhex("0000000a 0012 0000 416c6c69 0000")

#: Nobody is there; or the text can be no name at all, which Python says with a `UnicodeError`.
NOT_THERE = (OSError, ValueError)


def _connected(place: str, seconds: float) -> socket.socket:
    host, _, port = place.strip().rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)


def answers(brokers: str) -> bool:
    """Whether any broker of `host:port,…` takes a connection."""
    for one in brokers.split(","):
        try:
            _connected(one, 1.0).close()
        except NOT_THERE:
            continue
        return True
    return False


def is_kafka(brokers: str) -> bool:
    """Whether any of `host:port,…` answers a request as a broker does; an open port alone does not count."""
    for one in brokers.split(","):
        try:
            with _connected(one, ANSWER_SECONDS) as connection:
                connection.sendall(API_VERSIONS)
                # An answer may come in pieces.
                with connection.makefile("rb") as answer:
                    if answer.read(8)[4:] == API_VERSIONS[8:12]:
                        return True
        except NOT_THERE:
            continue
    return False


def probe_broker(brokers: str, health: Health) -> bool:
    """Whether any broker answers, said in health too."""
    is_there = is_kafka(brokers)
    if is_there:
        health.has("broker")
    else:
        health.waits_for("broker", "no broker answers")
    return is_there
