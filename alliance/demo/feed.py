"""Sending: the history as fast as the pipeline can process it, then each further record when its time has come.

In: records of a plan, and the supervisor's. Out: records on the log, counted when the broker has acknowledged them.
Never: more records ahead of the pipeline than the embedded broker can hold; an event before it has happened.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from kafka import KafkaProducer
from kafka.errors import KafkaError

from alliance.demo.plan import PlannedRecord
from pipeline.ingest.admission import HEADERS
from schemas.topics import EVENTS

#: Records that may have been sent and not yet processed to the end. The embedded broker drops a partition's oldest data
#: above 5 MB, and a record causes several times its own size in the topics that are written because of it.
MOST_IN_FLIGHT = 20_000
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class FastClock:
    """Simulated time: it begins at `started`, runs faster than real time, and stays with it once it has caught up."""

    started: datetime
    real_start: datetime
    days_per_second: float

    def at(self, real_time: datetime) -> datetime:
        """Simulated time at a moment of real time; never later than that."""
        seconds = (real_time - self.real_start).total_seconds()
        # Capped at one day more than needed: after a long while the sum would be beyond the last year of a datetime.
        days = min(seconds * self.days_per_second, (real_time - self.started) / timedelta(days=1) + 1)
        return min(self.started + timedelta(days=days), real_time)

    def has_caught_up(self, real_time: datetime) -> bool:
        """Whether simulated time has reached real time."""
        return self.at(real_time) >= real_time


class Feeder:
    """Gives records to a producer; may be used from several threads."""

    def __init__(self, producer: KafkaProducer, stop: threading.Event) -> None:
        self._producer = producer
        self._stop = stop
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self.handed = 0
        self.sent = 0
        #: How many records the pipeline has processed to the end; set by the observing thread.
        self.settled = 0

    def send_history(self, records: Iterable[PlannedRecord]) -> None:
        """Send all as fast as possible, but never far ahead of the pipeline; return when all are acknowledged."""
        for record in records:
            while self.handed - self.settled >= MOST_IN_FLIGHT:
                if self._stop.wait(PAUSE_SECONDS):
                    return
            if self._stop.is_set():
                return
            self.send(record.key, record.value)
        self.wait_for_acknowledgements()

    def send_live(self, records: Iterable[PlannedRecord], now: Callable[[], datetime]) -> None:
        """Send each when its time has come; return when all are acknowledged."""
        for record in records:
            while now().timestamp() < record.at:
                if self._stop.wait(PAUSE_SECONDS):
                    return
            self.send(record.key, record.value)
        self.wait_for_acknowledgements()

    def send(self, key: bytes, value: bytes) -> None:
        """Give one record to the producer."""
        with self._lock:
            self.handed += 1
        future = self._producer.send(EVENTS, key=key, value=value, headers=HEADERS)
        future.add_callback(self._acknowledged)
        future.add_errback(self._failed)

    def wait_for_acknowledgements(self) -> None:
        """Return when all records given to the producer are acknowledged, or when the person stops it."""
        while self.sent < self.handed:
            self.check()
            if self._stop.wait(PAUSE_SECONDS):
                return

    def check(self) -> None:
        """Raise the error of a record that the broker did not acknowledge."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Close the producer at once; nothing more is sent."""
        with suppress(KafkaError):
            self._producer.close(timeout=0)

    def _acknowledged(self, _: object) -> None:
        with self._lock:
            self.sent += 1

    def _failed(self, error: BaseException) -> None:
        self._failure = error
