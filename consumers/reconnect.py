"""Starting again after the broker was away.

In: a function that consumes until the broker goes. Out: the same function, called again whenever a broker answers.
Never: a retry of an error that waiting cannot cure.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from kafka.errors import KafkaError

from consumers.broker_watch import BrokerWatch
from consumers.retry import RETRY_SECONDS
from pipeline.runtime.health import Health

log = logging.getLogger(__name__)


def run_until_stopped(
    stop: threading.Event, connection: Mapping[str, Any], health: Health, consume: Callable[[], None]
) -> None:
    """Consume until the process is stopped; start again each time that the broker has gone and answers again."""
    with BrokerWatch(connection, health) as broker:
        while broker.wait_for_answer(stop):
            try:
                consume()
            except KafkaError as error:
                if not is_retriable(error):
                    raise
                # Reported as `log`, not `broker`: the watch removes `broker` from health as soon as a broker answers.
                health.waits_for("log", f"the broker does not give access to the topics ({type(error).__name__})")
                log.warning("The connection to the broker failed (%s); trying again.", type(error).__name__)
                stop.wait(RETRY_SECONDS)


def is_retriable(error: KafkaError) -> bool:
    """Whether waiting may help. Any other error is a wrong configuration or a bug and stops the process."""
    return bool(error.retriable)
