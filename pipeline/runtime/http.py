"""The HTTP server of every process but the gateway: `/health`, `/ready`, `/metrics`, and one POST for the worker.

In: an address, the process's health and its metrics. Out: `/health` and `/ready` (200 or 503, JSON), `/metrics`.
Never: anything about a client; end the process.
"""

import errno
import gzip
import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from pipeline.runtime.health import Health, WaitingCollector


class Reply(NamedTuple):
    """The answer to a POST: an HTTP status and one sentence for a person."""

    status: int
    sentence: str


class CannotListen(Exception):
    """The process cannot listen at this address; `is_of_port`: another port would do, else the host is wrong."""

    def __init__(self, why: str, *, is_of_port: bool) -> None:
        super().__init__(why)
        self.is_of_port = is_of_port


#: The port is taken, or it needs an administrator's rights. After any other error the host is wrong.
PORT_IS_WRONG = (errno.EADDRINUSE, errno.EACCES)


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections; port 0 means any free port."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = str(error.strerror).partition(" (while ")[0]
        raise CannotListen(why, is_of_port=error.errno in PORT_IS_WRONG) from None


#: The end of an OpenMetrics page; it may occur only once.
END = b"# EOF\n"
#: Level 9, the library's choice, costs ten times as much for a page that is a tenth smaller.
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
                is_healthy, report = health.report()
                self._answer(200 if is_healthy else 503, "application/json", json.dumps(report).encode())
            else:
                self._answer(404, "text/plain", b"There is nothing here. Ask for /health or /metrics.\n")

        def do_POST(self) -> None:
            status, sentence = Reply(404, "This address accepts no POST.") if post is None else post(self.path)
            self._answer(status, "text/plain; charset=utf-8", f"{sentence}\n".encode())

        def _answer(self, status: int, content_type: str, body: bytes, *, may_compress: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            if may_compress and "gzip" in self.headers.get("Accept-Encoding", ""):
                # mtime 0: the same page is the same bytes.
                body = gzip.compress(body, GZIP_LEVEL, mtime=0)
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not logged."""

    registry.register(WaitingCollector(health))
    listener = listen(host, port)
    # The server's own bind would open a second socket; it gets the listening one instead.
    server = ThreadingHTTPServer(listener.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_port = listener.getsockname()[1]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
