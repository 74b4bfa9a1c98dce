"""Measures how fast the store works through a backlog, and where the time goes: `make bench-store`.

In: a seed. Out: events/s, wall and per CPU second: the whole loop from a real Kafka into SQLite and PostgreSQL, and its
parts alone: kafka-python's poll, `accept`, the sink.
Never: a test. Machines are noisy, so the rounds are interleaved; compare only figures of one run.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import func, select

from alliance.simulation.practice import PracticeParameters, simulate
from consumers.loop import MOST_FETCHED_BYTES, MOST_RECORDS, Loop
from consumers.sink import ConsumerRecord
from consumers.store import tables
from consumers.store.database import migrate, open_engine
from consumers.store.run import collect_garbage_rarely
from consumers.store.sink import TOPICS, StoreSink
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.testbed.builders import key_of, value_of
from deploy.testbed.kafka import Record as Sent
from deploy.testbed.kafka import create_topics, produce, unique_name
from deploy.testbed.postgres import new_database
from pipeline.core.acceptance import Accepted, accept
from pipeline.runtime.health import Health
from pipeline.runtime.metrics import Meters
from schemas.instruments.registry import load_instruments
from schemas.topics import EVENTS

INSTRUMENTS = load_instruments(None)
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)


class Pace(NamedTuple):
    """Events per second of one run."""

    wall: float
    cpu: float


def timed(events: int, act: Callable[[], None]) -> Pace:
    """Run and measure. CPU time is that of this process with all its threads, without the broker and PostgreSQL."""
    wall, cpu = time.monotonic(), time.process_time()
    act()
    return Pace(events / (time.monotonic() - wall), events / (time.process_time() - cpu))


def backlog(weeks: int) -> list[Sent]:
    """A simulated practice's events in order of arrival, with duplicates, corrections, voids and late ones."""
    practice = simulate(
        PracticeParameters(
            seed=1,
            weeks=weeks,
            first_day=FIRST_DAY,
            duplicated_share=0.01,
            corrected_share=0.01,
            voided_share=0.005,
            late_share=0.01,
        )
    )
    events = (practice.events[index] for index in practice.delivery)
    return [Sent(key_of(event), value_of(event)) for event in events]


def polled(bootstrap: str, keep: list[ConsumerRecord] | None = None) -> Callable[[], None]:
    """kafka-python alone, with the settings of the loop."""

    def act() -> None:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            enable_auto_commit=False,
            max_poll_records=MOST_RECORDS,
            fetch_max_bytes=MOST_FETCHED_BYTES,
        )
        places = [TopicPartition(EVENTS, number) for number in consumer.partitions_for_topic(EVENTS)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        left = sum(consumer.end_offsets(places).values())
        while left > 0:
            for batch in consumer.poll(timeout_ms=200).values():
                left -= len(batch)
                if keep is not None:
                    keep.extend(batch)
        consumer.close()

    return act


def judged(records: Sequence[ConsumerRecord]) -> Callable[[], None]:
    """`accept` alone."""

    def act() -> None:
        for record in records:
            assert isinstance(accept(record.value, record.key, record.timestamp, INSTRUMENTS), Accepted)

    return act


def written(records: Sequence[ConsumerRecord], database: str) -> Callable[[], None]:
    """The sink alone: `accept`, rows, transactions."""
    engine = open_engine(database)
    migrate(engine)

    def act() -> None:
        sink = StoreSink(engine, INSTRUMENTS)
        for start in range(0, len(records), MOST_RECORDS):
            sink.write(records[start : start + MOST_RECORDS])
        engine.dispose()

    return act


def drained(bootstrap: str, total: int, database: str) -> Callable[[], None]:
    """The whole loop of `alliance store`, from joining its group to the last row."""
    engine = open_engine(database)
    migrate(engine)

    meters, left = Meters("bench"), total

    def count(records: Sequence[ConsumerRecord]) -> None:
        """Record the latencies as the process does, and stop at the end of the backlog."""
        nonlocal left
        meters.done("store", (record.timestamp / 1000 for record in records))
        left -= len(records)
        if left <= 0:
            loop.stop()

    sink = StoreSink(engine, INSTRUMENTS, count)
    connection = {"bootstrap_servers": bootstrap}
    group = unique_name("bench")
    loop = Loop(sink, TOPICS, connection, Health("store"), group=group, session_timeout_seconds=30)

    def act() -> None:
        loop.run()
        engine.dispose()

    return act


def archived(database: str) -> int:
    """How many events the store holds."""
    engine = open_engine(database)
    with engine.connect() as connection:
        count = connection.scalar(select(func.count()).select_from(tables.events)) or 0
    engine.dispose()
    return count


def measure(bootstrap: str, server: Postgres, total: int, distinct: int, rounds: int) -> dict[str, list[Pace]]:
    """Every part once in each round."""
    found: dict[str, list[Pace]] = defaultdict(list)
    records: list[ConsumerRecord] = []
    polled(bootstrap, records)()
    collect_garbage_rarely()
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            databases = {
                "SQLite": [f"sqlite:///{Path(folder)}/{name}.sqlite" for name in ("sink", "loop")],
                "PostgreSQL": [new_database(server), new_database(server)],
            }
            found["kafka-python's poll alone"].append(timed(total, polled(bootstrap)))
            found["`accept` alone"].append(timed(total, judged(records)))
            for name, (for_sink, for_loop) in databases.items():
                found[f"sink alone, {name}"].append(timed(total, written(records, for_sink)))
                found[f"**whole loop, {name}**"].append(timed(total, drained(bootstrap, total, for_loop)))
                assert archived(for_sink) == archived(for_loop) == distinct
    return found


def table(found: dict[str, list[Pace]]) -> str:
    """Medians and ranges, in thousands of events a second, for docs/benchmarks/store.md."""
    lines = ["| part | events/s, wall | events per CPU second |", "| --- | --- | --- |"]
    for part, paces in found.items():
        lines.append(f"| {part} | {shown([pace.wall for pace in paces])} | {shown([pace.cpu for pace in paces])} |")
    return "\n".join(lines)


def shown(figures: Sequence[float]) -> str:
    """Median (range)."""
    middle, low, high = (
        f"{figure / 1000:,.1f}k" for figure in (statistics.median(figures), min(figures), max(figures))
    )
    return f"{middle} ({low}–{high})"


def main() -> None:
    """Run for a few minutes and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--weeks", type=int, default=52)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--partitions", type=int, default=12)
    options = arguments.parse_args()
    sent = backlog(options.weeks)
    with Kafka(heap="1g") as broker, Postgres() as server:
        create_topics(broker.bootstrap, dict.fromkeys(TOPICS, options.partitions))
        produce(broker.bootstrap, EVENTS, sent, timeout=120)
        load = os.getloadavg()[0]
        distinct = len({(record.key, record.value) for record in sent})
        found = measure(broker.bootstrap, server, len(sent), distinct, options.rounds)
    bytes_each = sum(len(record.value or b"") for record in sent) / len(sent)
    print(f"{os.cpu_count()} CPUs, load {load:.1f} before and {os.getloadavg()[0]:.1f} after, ", end="")
    print(f"Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}")
    print(f"{len(sent):,} events of {bytes_each:.0f} bytes, {distinct:,} of them distinct, ", end="")
    print(f"{options.partitions} partitions, {options.rounds} rounds; median (range)\n")
    print(table(found))


if __name__ == "__main__":
    main()
