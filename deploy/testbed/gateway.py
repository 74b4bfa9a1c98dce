"""A real gateway on a free port, in a thread of this process.

In: a running broker and a topic. Out: HTTP answers.
Never: a server that outlives its `with` block.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from deploy.testbed.senders import now_ms
from deploy.testbed.waiting import wait_until
from pipeline.ingest.gateway.api_keys import Keys, make_key
from pipeline.ingest.gateway.app import create_gateway
from pipeline.ingest.gateway.submit import Limits
from pipeline.runtime.kafka_clients import make_producer
from pipeline.runtime.processes import LOOPBACK, free_port
from pipeline.runtime.settings import Settings
from schemas.instruments.registry import load_instruments

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
Body = bytes | Iterable[bytes]


class Gateway:
    """The gateway as a sender sees it; `key` is a key that it knows."""

    def __init__(self, port: int, key: str) -> None:
        self.url = f"http://{LOOPBACK}:{port}"
        self.key = key
        self._client = httpx.Client(base_url=self.url, timeout=30)

    def post(self, body: Body, content_type: str = STRUCTURED, **headers: str) -> httpx.Response:
        """POST /v1/events with the key; an underscore in a header's name becomes a dash."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        all_headers = {"Authorization": f"Bearer {self.key}", "Content-Type": content_type, **named}
        return self.post_raw(body, [(name, value) for name, value in all_headers.items() if value])

    def post_raw(self, body: Body, headers: list[tuple[str, str]]) -> httpx.Response:
        """POST /v1/events with exactly these headers."""
        return self._client.post("/v1/events", content=body, headers=headers)

    def get(self, path: str) -> httpx.Response:
        """A page."""
        return self._client.get(path)

    def metric(self, sample: str) -> float:
        """The value of one sample of /metrics."""
        lines = [line for line in self.get("/metrics").text.splitlines() if line.startswith(f"{sample} ")]
        return float(lines[0].rpartition(" ")[2])

    def wait_until_ready(self, timeout: float = 30) -> None:
        """Return once it accepts events."""
        wait_until(lambda: self.get("/ready").status_code == 200, timeout, lambda: self.get("/ready").text)

    def close(self) -> None:
        """Close the sender's connections."""
        self._client.close()


@contextmanager
def a_gateway(folder: Path, bootstrap: str, topic: str, **options: Any) -> Iterator[Gateway]:
    """Start a gateway, and end it as SIGTERM would; options: clock_ms, limits, instruments, make_producer."""
    key, line = make_key("practice")
    (folder / "keys").write_text(f"# who may send\n{line}\n")
    settings = Settings(kafka=bootstrap)
    app = create_gateway(
        settings,
        options.get("instruments") or load_instruments(None),
        Keys.read(folder / "keys"),
        options.get("make_producer", lambda: make_producer(settings)),
        options.get("clock_ms", now_ms),
        limits=options.get("limits", Limits()),
        topic=topic,
    )
    port = free_port()
    config = uvicorn.Config(app, LOOPBACK, port, log_config=None, access_log=False, ws="none", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="gateway")
    thread.start()
    gateway = Gateway(port, key)
    try:
        wait_until(lambda: server.started, 30, "the gateway to listen")
        yield gateway
    finally:
        gateway.close()
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
