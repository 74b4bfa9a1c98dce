"""The baseline of the spine on this machine: `make bench`.

In: a seed. Out: figures on the terminal: core events/s, events/s through worker and store on a real Kafka, latency from
accepted to row at 50 events/s, memory per 10,000 cases.
Never: a test; machines are noisy, so compare figures of one run only.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from kafka import KafkaProducer
from sqlalchemy import select

from alliance.simulation.practice import PracticeParameters, simulate
from consumers.store import tables
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.testbed.builders import LATE_MS, a_checkin, key_of, value_of
from deploy.testbed.postgres import new_database
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from pipeline.core.acceptance import Accepted, accept
from pipeline.core.case import state as case
from pipeline.core.case.changes import step
from pipeline.core.detection.prior import MeasurementModel, measurement_models
from schemas.instruments.registry import load_instruments
from schemas.topics import EVENTS

INSTRUMENTS = load_instruments(None)
Records = list[tuple[bytes, bytes]]


def history(weeks: int) -> Records:
    """Keys and values of a simulated practice."""
    simulation = simulate(PracticeParameters(seed=1, weeks=weeks, first_day=datetime(2026, 1, 5, tzinfo=UTC)))
    return [(key_of(event), value_of(event)) for event in simulation.events]


def core(records: Records) -> None:
    """One core, no Kafka: judge, step, encode the state."""
    models = measurement_models(INSTRUMENTS)
    started = time.process_time()
    verdicts = [accept(value, key, LATE_MS, INSTRUMENTS) for key, value in records]
    accepted = [verdict for verdict in verdicts if isinstance(verdict, Accepted)]
    judged = time.process_time()
    states = stepped_through(accepted, models)
    stepped = time.process_time()
    checkins = [event for event in accepted if event.scores is not None]
    began = time.process_time()
    stepped_through(checkins, models)
    of_checkins = time.process_time() - began
    encoded = sum(len(case.encode(state)) for state in states.values() if isinstance(state, case.CaseState))
    say("core: accept", f"{len(records) / (judged - started):,.0f} events/s")
    say("core: case step in order", f"{len(records) / (stepped - judged):,.0f} events/s")
    say("core: case step in order, check-ins alone", f"{len(checkins) / of_checkins:,.0f} check-ins/s")
    say("core: encoded state", f"{encoded / len(records):.0f} bytes per remembered event")


def stepped_through(accepted: Sequence[Accepted], models: Mapping[str, MeasurementModel]) -> dict[str, case.State]:
    """The states of all cases after these events."""
    states: dict[str, case.State] = {}
    for event in accepted:
        subject = event.event.subject
        states[subject], _ = step(states.get(subject), event, models)
    return states


def through(system: System, records: Records, label: str) -> None:
    """A backlog through worker and store."""
    system.create_topics()
    system.send_records(list(records))
    started = time.monotonic()
    system.start("worker", "store")
    wait_until(lambda: system.counts().get("events", 0) >= len(records), 600, "the archive")
    archived = time.monotonic() - started
    wait_until(lambda: system.accepted_in_summaries() >= len(records), 600, "the summaries")
    summarised = time.monotonic() - started
    cpu = {name: cpu_seconds(system, name) for name in ("worker", "store")}
    say(f"{label}: store", f"{len(records) / archived:,.0f} events/s from start of the process")
    say(f"{label}: worker, both agents", f"{len(records) / summarised:,.0f} events/s from start of the process")
    say(f"{label}: worker", f"{len(records) / cpu['worker']:,.0f} events per CPU second")
    say(f"{label}: store", f"{len(records) / cpu['store']:,.0f} events per CPU second")


def latency(system: System, seconds: int) -> None:
    """From the producer's acknowledged send to the row, at 50 events a second."""
    producer = KafkaProducer(bootstrap_servers=system.bootstrap, acks="all", linger_ms=0)
    engine = system.engine()
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    pause = Event()
    started = time.monotonic()
    number = 0
    with engine.connect() as connection:
        while len(seen) < seconds * 50 and time.monotonic() - started < seconds + 30:
            while number < seconds * 50 and time.monotonic() - started >= number / 50:
                event = a_checkin(1, id=f"live-{number}", subject=f"live-{number % 200}")
                producer.send(EVENTS, key=key_of(event), value=value_of(event)).add_callback(
                    lambda _, name=event["id"]: sent.setdefault(name, time.monotonic())
                )
                number += 1
            query = select(tables.events.c.id).where(tables.events.c.id.startswith("live-"))
            now = time.monotonic()
            for name in connection.scalars(query):
                seen.setdefault(name, now)
            connection.rollback()
            pause.wait(0.005)
    producer.close()
    engine.dispose()
    waits = sorted(seen[name] - sent[name] for name in seen if name in sent)
    cuts = statistics.quantiles(waits, n=100)
    say("latency accepted → row at 50/s", f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms, n {len(waits)}")


def memory(system: System, cases: int) -> None:
    """What the worker's memory grows by per 10,000 cases of five check-ins."""
    before = resident_kib(system, "worker")
    events = (
        a_checkin(session, 9.0, subject=f"m-{number}", id=f"m-{session}", therapist=f"t-{number // 25}")
        for number in range(cases)
        for session in range(1, 6)
    )
    base = system.accepted_in_summaries()
    system.send(events)
    wait_until(lambda: system.accepted_in_summaries() >= base + 5 * cases, 900, "the cases in the summaries")
    grown = resident_kib(system, "worker") - before
    say("memory of the worker", f"{grown / 1024 * 10_000 / cases:.0f} MiB per 10,000 cases of five check-ins")


def cpu_seconds(system: System, name: str) -> float:
    """User and system seconds of a running process (Linux)."""
    fields = Path(f"/proc/{system.running[name].pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(system: System, name: str) -> int:
    """Resident memory of a running process (Linux)."""
    status = Path(f"/proc/{system.running[name].pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def say(what: str, figure: str) -> None:
    """One figure."""
    print(f"{what:42s} {figure}", flush=True)


def with_system(database: Callable[[Path], Any], act: Callable[[System], None]) -> None:
    """Run `act` on a fresh broker and a fresh store."""
    with tempfile.TemporaryDirectory() as folder, Kafka(heap="1g") as broker:
        processes = Processes(Path(folder))
        try:
            act(System(processes, broker.bootstrap, database(Path(folder))))
        finally:
            processes.close()


def main() -> None:
    """Everything, in a few minutes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--weeks", type=int, default=26)
    arguments.add_argument("--cases", type=int, default=10_000)
    arguments.add_argument("--seconds", type=int, default=20)
    options = arguments.parse_args()
    records = history(options.weeks)
    say("machine", f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}")
    say("history", f"{len(records):,} events of a simulated practice")
    core(records)

    def on_sqlite(system: System) -> None:
        through(system, records, "SQLite")
        latency(system, options.seconds)

    with_system(lambda folder: f"sqlite:///{folder}/bench.sqlite", on_sqlite)
    with Postgres() as server:
        with_system(lambda _: new_database(server), lambda system: through(system, records, "PostgreSQL"))

    def for_memory(system: System) -> None:
        system.create_topics().start("worker", "store").wait_until_healthy("worker", "store")
        memory(system, options.cases)

    with_system(lambda folder: f"sqlite:///{folder}/bench.sqlite", for_memory)


if __name__ == "__main__":
    main()
