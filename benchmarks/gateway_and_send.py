"""How many events a second the gateway and `alliance send` accept on this machine: `make bench-gateway`.

In: made-up check-ins, and a real broker, gateway and sender on this machine. Out: one line of text for each way in.
Never: a promise (a figure depends on what else the machine does).
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deploy.testbed.builders import a_checkin, value_of
from deploy.testbed.gateway import BATCHED, a_gateway
from deploy.testbed.kafka import Kafka, create_topics
from deploy.testbed.senders import now_ms
from pipeline.ingest.files.report import ConsoleReport
from pipeline.ingest.files.sender import send_file
from pipeline.runtime.kafka_clients import close_producer, make_producer
from pipeline.runtime.settings import Settings
from schemas.instruments.registry import load_instruments

LINES = 100_000
REQUESTS = 500
TOPIC = "measured"


def checkin(number: int) -> bytes:
    """A check-in of one of 2,000 cases."""
    return value_of(a_checkin(subject=f"case-{number % 2000:06d}", id=f"e-{number}", session_id=f"s-{number}"))


def measured(what: str, count: int, act: Callable[[], None]) -> None:
    """Act, and print how long it took."""
    started = time.perf_counter()
    act()
    seconds = time.perf_counter() - started
    sys.stdout.write(f"{what}: {count / seconds:,.0f} events/s ({count} in {seconds:.1f} s)\n")


def measure_file(folder: Path, bootstrap: str) -> None:
    """`alliance send` of JSON lines."""
    file = folder / "events.jsonl"
    file.write_bytes(b"".join(checkin(number) + b"\n" for number in range(LINES)))
    producer = make_producer(Settings(kafka=bootstrap))

    def act() -> None:
        with ConsoleReport(file) as report:
            outcome = send_file(file, producer, load_instruments(None), report=report, clock_ms=now_ms, topic=TOPIC)
        assert outcome.sent == LINES

    measured("send, JSON lines", LINES, act)
    close_producer(producer, 10)


def measure_gateway(folder: Path, bootstrap: str) -> None:
    """A single sender, one request after another."""
    single = [checkin(number) for number in range(REQUESTS)]
    batch = b"[" + b",".join(single) + b"]"
    with a_gateway(folder, bootstrap, TOPIC) as gateway:
        gateway.wait_until_ready()
        measured("gateway, one by one", REQUESTS, lambda: _all_202([gateway.post(body).status_code for body in single]))
        batches = range(20)
        measured(
            "gateway, batches of 500",
            len(batches) * REQUESTS,
            lambda: _all_202([gateway.post(batch, BATCHED).status_code for _ in batches]),
        )


def _all_202(statuses: list[int]) -> None:
    assert set(statuses) == {202}


def main() -> None:
    """Measure `alliance send` and the gateway once."""
    with tempfile.TemporaryDirectory() as folder, Kafka() as broker:
        create_topics(broker.bootstrap, {TOPIC: 8})
        measure_file(Path(folder), broker.bootstrap)
        measure_gateway(Path(folder), broker.bootstrap)


if __name__ == "__main__":
    main()
