"""The store process.

In: connection, the database's engine, instruments. Out: a running loop over a `StoreSink`, health and metrics.
Never: decide what is kept (that is `consumers.store.sink`).
"""

import gc
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from consumers.loop import PAUSE_SECONDS, Loop, Record
from consumers.store.database import migrate
from consumers.store.sink import TOPICS, StoreSink
from pipeline.runtime.health import Health
from pipeline.runtime.http import serve
from pipeline.runtime.metrics import Meters
from schemas.instruments.definition import Instrument
from schemas.topics import EVENTS

log = logging.getLogger(__name__)


class MeteredSink(StoreSink):
    """A store sink that tells how late its rows are."""

    meters: Meters

    def take(self, records: Sequence[Record]) -> None:
        """As `StoreSink.take`, then the latencies of the events."""
        super().take(records)
        self.meters.done("store", (record.timestamp / 1000 for record in records if record.topic == EVENTS))


def collect_seldom() -> None:
    """Look for garbage in circles once in about 100,000 new objects, and not among what is there now.

    A batch makes tens of thousands of objects that no circle holds; looking at them again and again costs a fifth.
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
    sink = MeteredSink(engine, instruments)
    sink.meters = meters
    loop = Loop(
        sink,
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
    while not stopped.is_set():
        try:
            migrate(engine)
        except (OperationalError, InterfaceError) as error:
            health.waits_for("database", f"the database does not answer ({type(error).__name__})")
            log.warning("No database yet; trying again.")
            stopped.wait(PAUSE_SECONDS)
        else:
            health.has("database")
            collect_seldom()
            loop.run()
            return
