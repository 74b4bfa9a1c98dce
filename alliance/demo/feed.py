"""Sending: the history as fast as the pipeline follows, then the rest when its time comes.

In: records of a plan, and the supervisor's. Out: records on the log, counted when the broker has acknowledged them.
Never: run further ahead of the pipeline than the embedded broker can hold; send an event before it has happened.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from kafka import KafkaProducer
from kafka.errors import KafkaError

from alliance.demo.plan import Sending
from pipeline.ingest.admission import HEADERS
from schemas.topics import EVENTS

#: Records that may be under way. The embedded broker drops a partition's oldest data above 5 MB, and a record leaves
#: several times its own size in the topics written from it.
MOST_UNDER_WAY = 20_000
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class QuickClock:
    """Simulated time: from `started` on it runs faster than real time, until it has caught up with it."""

    started: datetime
    started_really: datetime
    days_per_second: float

    def at(self, really: datetime) -> datetime:
        """Simulated time at a moment of real time; never later than that."""
        seconds = (really - self.started_really).total_seconds()
        # The sum may lie beyond the calendar after a long while; a day more than needed is enough.
        days = min(seconds * self.days_per_second, (really - self.started) / timedelta(days=1) + 1)
        return min(self.started + timedelta(days=days), really)

    def has_caught_up(self, really: datetime) -> bool:
        """Whether simulated time is real time by now."""
        return self.at(really) >= really


class Feeder:
    """Hands records to a producer; may be used from several threads."""

    def __init__(self, producer: KafkaProducer, stop: threading.Event) -> None:
        self._producer = producer
        self._stop = stop
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self.handed = 0
        self.sent = 0
        #: How many records the pipeline has followed to the end; told by whoever looks.
        self.settled = 0

    def history(self, records: Iterable[Sending]) -> None:
        """Send all at once, but never far ahead of the pipeline; returns when all are acknowledged."""
        for record in records:
            while self.handed - self.settled >= MOST_UNDER_WAY:
                if self._stop.wait(PAUSE_SECONDS):
                    return
            if self._stop.is_set():
                return
            self.send(record.key, record.value)
        self.wait_for_acknowledgements()

    def live(self, records: Iterable[Sending], now: Callable[[], datetime]) -> None:
        """Send each when its time has come; returns after the last one."""
        for record in records:
            while now().timestamp() < record.at:
                if self._stop.wait(PAUSE_SECONDS):
                    return
            self.send(record.key, record.value)
        self.wait_for_acknowledgements()

    def send(self, key: bytes, value: bytes) -> None:
        """Hand one record over."""
        with self._lock:
            self.handed += 1
        future = self._producer.send(EVENTS, key=key, value=value, headers=HEADERS)
        future.add_callback(self._acknowledged)
        future.add_errback(self._failed)

    def wait_for_acknowledgements(self) -> None:
        """Return when all records handed over are acknowledged, or when told to stop."""
        while self.sent < self.handed:
            self.check()
            if self._stop.wait(PAUSE_SECONDS):
                return

    def check(self) -> None:
        """Raise what became of a record that the broker did not acknowledge."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Let go of the producer; nothing more is sent."""
        with suppress(KafkaError):
            self._producer.close(timeout=0)

    def _acknowledged(self, _: object) -> None:
        with self._lock:
            self.sent += 1

    def _failed(self, error: BaseException) -> None:
        self._failure = error
