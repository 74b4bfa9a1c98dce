"""Kafka clients as every process makes and ends them.

In: settings. Out: the options of a client; a producer that reports what became of each record; a producer that has
ended: its thread is gone, and each of its records is either acknowledged or has failed.
Never: raise because the broker is unavailable when a producer is closed.
"""

import logging
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipeline.runtime.settings import Settings

log = logging.getLogger(__name__)

_ABORT_SECONDS = 5.0


def client_options(settings: Settings) -> dict[str, Any]:
    """The options that every kafka-python client is made with."""
    options: dict[str, Any] = {"bootstrap_servers": settings.kafka, "reconnect_backoff_max_ms": 2_000}
    if settings.api_version is not None:
        options["api_version"] = settings.api_version
    return options


def make_producer(settings: Settings) -> KafkaProducer:
    """A producer that waits for all replicas and keeps the order of the records.

    It is not kafka-python's idempotent producer: once a batch has expired, that one neither sends nor fails any later
    record (3.0.12). A duplicate changes nothing downstream, and one request in flight is enough to keep the order.
    """
    return KafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=False,
        max_in_flight_requests_per_connection=1,
        linger_ms=5,
        batch_size=65_536,
        max_request_size=2_000_000,
        max_block_ms=10_000,
        delivery_timeout_ms=30_000,
        request_timeout_ms=10_000,
    )


def close_producer(producer: KafkaProducer, seconds: float) -> bool:
    """Wait up to `seconds` for records in flight, then give them up; whether all were acknowledged."""
    try:
        producer.close(timeout=seconds)
    except KafkaError as error:
        log.warning("a producer ends with records that were not acknowledged: %s", type(error).__name__)
        _abort(producer)
        return False
    return True


def _abort(producer: KafkaProducer) -> None:
    # kafka-python 3.0.12 raises in `close` before it stops its thread, and has no public way to stop it then.
    producer._sender.force_close()
    try:
        producer.close(timeout=_ABORT_SECONDS)
    except KafkaError:
        log.warning("a producer did not end")
