"""Runs the store process.

In: the Kafka connection, the database's engine, instruments. Out: a running loop over a `StoreSink`, health, metrics.
Never: decide what is kept (that is `consumers.store.sink`).
"""

import gc
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from consumers.loop import Loop
from consumers.retry import RETRY_SECONDS
from consumers.sink import ConsumerRecord
from consumers.store.database import migrate
from consumers.store.sink import TOPICS, StoreSink
from pipeline.runtime.health import Health
from pipeline.runtime.http import serve
from pipeline.runtime.metrics import Meters
from schemas.instruments.definition import Instrument
from schemas.topics import EVENTS

log = logging.getLogger(__name__)


def collect_garbage_rarely() -> None:
    """Let Python look for reference cycles after 100,000 new objects instead of 700, and not among those of the start.

    A batch creates tens of thousands of objects and no cycles; looking for them so often costs a fifth of the speed.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000)


def run_store(
    engine: Engine,
    connection: Mapping[str, Any],
    instruments: Mapping[str, Instrument],
    *,
    address: tuple[str, int],
    group: str,
    session_timeout_seconds: int,
    accepts_gap: bool,
    version: str,
    on_stop: Callable[[Callable[[], None]], None],
) -> None:
    """Run until stopped."""
    health, meters = Health("store"), Meters(version)
    serve(*address, health, meters.registry)
    stopped = threading.Event()

    def record_latency(records: Sequence[ConsumerRecord]) -> None:
        meters.done("store", (record.timestamp / 1000 for record in records if record.topic == EVENTS))

    loop = Loop(
        StoreSink(engine, instruments, record_latency),
        TOPICS,
        connection,
        health,
        group=group,
        session_timeout_seconds=session_timeout_seconds,
        accepts_gap=accepts_gap,
    )

    def stop() -> None:
        stopped.set()
        loop.stop()

    on_stop(stop)
    if _has_migrated(engine, health, stopped):
        collect_garbage_rarely()
        loop.run()


def _has_migrated(engine: Engine, health: Health, stopped: threading.Event) -> bool:
    """Bring the schema up to date as soon as the database answers; False if the process is stopped before."""
    while not stopped.is_set():
        try:
            migrate(engine)
        except (OperationalError, InterfaceError) as error:
            health.waits_for("database", f"the database does not answer ({type(error).__name__})")
            log.warning("The database does not answer; trying again.")
            stopped.wait(RETRY_SECONDS)
        else:
            health.has("database")
            return True
    return False
