"""Measures the time from a flag in Kafka to the webhook's request: `make bench-alerts`.

In: a number of flags and how many a second. Out: p50 and p99 on the terminal, through a real Kafka, the notifier and a
real Alertmanager with the shipped routes.
Never: a test. Machines are noisy, so compare only figures of one run.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from kafka import KafkaProducer

from deploy.local.kafka import Kafka
from deploy.testbed.alertmanager import Alertmanager, configuration
from deploy.testbed.flags import a_flag
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from deploy.testbed.webhook import Webhook
from schemas.codec import encode
from schemas.topics import FLAGS


def raised(bootstrap: str, count: int, per_second: int) -> dict[str, float]:
    """Send urgent flags at an even pace. Returns when the broker acknowledged each."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=0)
    acknowledged: dict[str, float] = {}
    pause, started = Event(), time.monotonic()
    for number in range(count):
        pause.wait(max(0.0, started + number / per_second - time.monotonic()))
        flag = a_flag(number, opened_at=datetime.now(UTC), therapist_id=f"t-{number % 40}")
        future = producer.send(FLAGS, key=flag.flag_id.encode(), value=encode(flag))
        future.add_callback(lambda _, name=flag.flag_id: acknowledged.setdefault(name, time.time()))
    producer.close()
    return acknowledged


def main() -> None:
    """Print one line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--flags", type=int, default=500)
    arguments.add_argument("--per-second", type=int, default=10)
    options = arguments.parse_args()
    print(f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}", flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Kafka() as broker,
        Webhook() as webhook,
        Alertmanager(configuration(webhook, group_wait=None, group_interval="30s")) as alertmanager,
    ):
        processes = Processes(Path(folder))
        try:
            system = System(processes, broker.bootstrap, "sqlite://", ALLIANCE_ALERTMANAGER=alertmanager.url)
            system.create_topics().start("notifier").wait_until_healthy("notifier")
            sent = raised(broker.bootstrap, options.flags, options.per_second)
            wait_until(lambda: len(set(webhook.flags("firing"))) == options.flags, 60, "every flag at the webhook")
        finally:
            processes.close()
    waits = [notice.received_at - sent[notice.labels["flag_id"]] for notice in webhook.notices]
    cuts = statistics.quantiles(waits, n=100)
    print(
        f"flag on the topic → webhook body, {options.per_second}/s: p50 {cuts[49] * 1000:.0f} ms,"
        f" p99 {cuts[98] * 1000:.0f} ms, most {max(waits) * 1000:.0f} ms, n {len(waits)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
