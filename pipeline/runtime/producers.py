"""How a producer ends.

In: a producer, perhaps with records that no broker has acknowledged. Out: its thread is gone, and every record of it is
either acknowledged or has failed.
Never: raise because the broker is away.
"""

import logging

from kafka import KafkaProducer
from kafka.errors import KafkaError

log = logging.getLogger(__name__)

_ABORT_SECONDS = 5.0


def close(producer: KafkaProducer, seconds: float) -> bool:
    """Wait so long for records under way, then give them up; whether all were acknowledged."""
    try:
        producer.close(timeout=seconds)
    except KafkaError as error:
        log.warning("a producer ends with records that were not acknowledged: %s", type(error).__name__)
        _abort(producer)
        return False
    return True


def _abort(producer: KafkaProducer) -> None:
    """kafka-python 3.0.12 raises in `close` before it stops its thread, and has no public way to stop it then."""
    producer._sender.force_close()
    try:
        producer.close(timeout=_ABORT_SECONDS)
    except KafkaError:
        log.warning("a producer did not end")
