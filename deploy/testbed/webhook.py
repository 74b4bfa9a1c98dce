"""Somebody who is told: a webhook receiver that keeps what Alertmanager posts.

In: HTTP requests. Out: the bodies, and each alert in them with the moment it came. Never: an answer before the body is
kept.
"""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class _Server(ThreadingHTTPServer):
    """Alertmanager tells of hundreds of groups at once; five waiting connections, the default, are too few."""

    request_queue_size = 1024
    daemon_threads = True


@dataclass(frozen=True)
class Notice:
    """One alert in one notification."""

    path: str
    receiver: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    came_at: float


class Webhook:
    """Listens on the loopback; the path of a request tells who was meant. With another status it keeps nothing."""

    def __init__(self, status: int = 200) -> None:
        self.bodies: list[str] = []
        self.notices: list[Notice] = []
        self._lock = threading.Lock()
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if status == 200:
                    take(self.path, text)
                self.send_response(status)
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"[]")

            def log_message(self, format: str, *args: object) -> None:
                """Requests are not logged."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def url(self, path: str = "/") -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def flags(self, status: str) -> list[str]:
        """The flag of each notice with this status, in order, repeated as often as it came."""
        return [one.labels["flag_id"] for one in list(self.notices) if one.status == status]

    def _take(self, path: str, text: str) -> None:
        now = time.time()
        body: dict[str, Any] = json.loads(text)
        with self._lock:
            self.bodies.append(text)
            self.notices += [
                Notice(path, body["receiver"], one["status"], one["labels"], one["annotations"], now)
                for one in body["alerts"]
            ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
