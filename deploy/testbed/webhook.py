"""A webhook receiver that keeps what Alertmanager posts.

In: HTTP requests. Out: the bodies, and each alert in them with the moment at which it arrived.
Never: an answer before the body is kept.
"""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class _Server(ThreadingHTTPServer):
    """Alertmanager posts hundreds of groups at once; the default of five waiting connections is too small."""

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
    received_at: float


class Webhook:
    """Listens on 127.0.0.1; the path of a request names the receiver. If `status` is not 200, it keeps nothing."""

    def __init__(self, status: int = 200) -> None:
        self.bodies: list[str] = []
        self.notices: list[Notice] = []
        self._lock = threading.Lock()
        keep = self._keep

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if status == 200:
                    keep(self.path, text)
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
        """The flag of each notice with this status, in order; a flag that arrived twice is there twice."""
        return [notice.labels["flag_id"] for notice in list(self.notices) if notice.status == status]

    def _keep(self, path: str, text: str) -> None:
        now = time.time()
        body: dict[str, Any] = json.loads(text)
        with self._lock:
            self.bodies.append(text)
            self.notices += [
                Notice(path, body["receiver"], alert["status"], alert["labels"], alert["annotations"], now)
                for alert in body["alerts"]
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
