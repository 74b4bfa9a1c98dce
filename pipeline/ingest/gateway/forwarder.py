"""From a request to the broker's acknowledgement, without blocking the event loop.

In: accepted records. Out: a return once the broker has acknowledged all of them; or `BrokerUnavailable`.
Never: return before all are acknowledged; keep records in memory whose requests are already answered. While the broker
is known to be unavailable, `deliver` raises at once.

One worker thread makes producers and calls `send`, which may block for metadata. So records leave in the order in which
`deliver` was called.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipeline.ingest.admission import HEADERS, AdmittedRecord
from pipeline.runtime.broker_probe import is_kafka
from pipeline.runtime.health import Health
from pipeline.runtime.kafka_clients import close_producer

log = logging.getLogger(__name__)

CLOSE_SECONDS = 10.0
#: Longer than the producer keeps any record (`delivery_timeout_ms`).
OLD_PRODUCER_SECONDS = 60.0


class BrokerUnavailable(Exception):
    """The broker has not acknowledged. Some of the records may still arrive; sending them again changes nothing."""


class Forwarder:
    """Owns the gateway's producer: makes one once the broker answers, a new one after an outage or a failed record.

    A producer may never send again once a record of it has expired: with kafka-python 3.0.12 and `enable_idempotence`,
    after one expired batch no later record ever succeeded or failed.
    """

    def __init__(
        self,
        topic: str,
        brokers: str,
        new_producer: Callable[[], KafkaProducer],
        health: Health,
        *,
        ack_seconds: float,
        probe_seconds: float,
    ) -> None:
        self._topic = topic
        self._brokers = brokers
        self._new_producer = new_producer
        self._health = health
        self._ack_seconds = ack_seconds
        self._probe_seconds = probe_seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forwarder")
        self._producer: KafkaProducer | None = None

    async def deliver(self, records: Sequence[AdmittedRecord]) -> None:
        """Return when all are acknowledged; raise `BrokerUnavailable` if that takes too long."""
        producer = self._producer
        if producer is None:
            raise BrokerUnavailable
        loop = asyncio.get_running_loop()
        acknowledgements = _Countdown(loop, len(records), on_failure=lambda: self._drop_if_current(producer))
        try:
            async with asyncio.timeout(self._ack_seconds):
                await loop.run_in_executor(self._thread, self._send, producer, records, acknowledgements)
                error = await acknowledgements.all
                if error is not None:
                    raise error
        except (TimeoutError, KafkaError) as error:
            log.warning("not acknowledged: %s", type(error).__name__)
            raise BrokerUnavailable from None

    def _send(self, producer: KafkaProducer, records: Sequence[AdmittedRecord], acknowledgements: "_Countdown") -> None:
        for record in records:
            future = producer.send(self._topic, record.value, record.key, HEADERS, timestamp_ms=record.timestamp_ms)
            future.add_callback(acknowledgements.acknowledged)
            future.add_errback(acknowledgements.failed)

    async def run(self) -> None:
        """Watch the broker until cancelled; keeps health and the producer up to date."""
        while True:
            await self._check_broker()
            await asyncio.sleep(self._probe_seconds)

    async def _check_broker(self) -> None:
        if not await asyncio.to_thread(is_kafka, self._brokers):
            self._health.waits_for("broker", "no broker answers")
            self._drop_producer()
            return
        if self._producer is None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connect)
        if self._producer is not None:
            self._health.has("broker")

    def _connect(self) -> None:
        try:
            producer = self._new_producer()
        except KafkaError as error:
            log.warning("no producer yet: %s", type(error).__name__)
            return
        try:
            producer.partitions_for(self._topic)
        except KafkaError:
            self._health.waits_for("topic", f"there is no topic {self._topic}; `alliance topics` creates it")
            close_producer(producer, 0.0)
            return
        self._health.has("topic")
        self._producer = producer

    def _drop_if_current(self, producer: KafkaProducer) -> None:
        """A record of this producer failed, perhaps long after its request was answered."""
        if producer is self._producer:
            self._drop_producer()

    def _drop_producer(self) -> None:
        """Its last records are still delivered if the broker returns before they expire; no request waits for that."""
        producer, self._producer = self._producer, None
        if producer is not None:
            threading.Thread(
                target=close_producer, args=(producer, OLD_PRODUCER_SECONDS), name="old producer", daemon=True
            ).start()

    async def close(self) -> None:
        """Flush what has been sent and end the producer; `run` has been cancelled before."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._end)
        self._thread.shutdown()

    def _end(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            close_producer(producer, CLOSE_SECONDS)


class _Countdown:
    """Counts down in any thread; `all` is set in the event loop, at the last success or the first failure."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int, on_failure: Callable[[], None]) -> None:
        self.all: asyncio.Future[BaseException | None] = loop.create_future()
        self._loop = loop
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._missing = count
        if count == 0:
            self.all.set_result(None)

    def acknowledged(self, _: object) -> None:
        """One record is acknowledged."""
        with self._lock:
            self._missing -= 1
            is_last = self._missing == 0
        if is_last:
            self._loop.call_soon_threadsafe(self._end, None)

    def failed(self, error: BaseException) -> None:
        """One record failed."""
        self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: BaseException | None) -> None:
        if error is not None:
            self._on_failure()
        if not self.all.done():
            self.all.set_result(error)
