"""kafka-python's consumer as every process here uses it.

In: kafka-python's options. Out: a connected consumer.
Never: a thread or a socket left behind by a consumer that could not be created.
"""

from typing import Any

from kafka import KafkaConsumer

#: How long a poll waits for records.
POLL_MS = 200
#: How long closing may take.
CLOSE_MS = 2000
#: A consumer is created just after a broker has answered. If that broker has gone meanwhile, kafka-python would wait
#: for half a minute by default, and could not be stopped.
BOOTSTRAP_MS = 2500


class Consumer(KafkaConsumer):  # type: ignore[misc]
    """kafka-python's consumer, which cleans up if it cannot be created."""

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(bootstrap_timeout_ms=BOOTSTRAP_MS, **options)
        except Exception:
            # `_client` is private, but the public `close` works only on a consumer that was created.
            if hasattr(self, "_client"):
                self._client.close()
            raise
