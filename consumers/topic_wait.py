"""Waiting until the topics exist.

In: a connected consumer, names of topics. Out: their partitions; the missing topics, in health.
Never: create a topic.
"""

import threading
from collections.abc import Sequence
from typing import Any

from kafka import TopicPartition

from consumers.retry import RETRY_SECONDS
from pipeline.runtime.health import Health


def wait_for_partitions(
    consumer: Any, topics: Sequence[str], health: Health, stop: threading.Event
) -> list[TopicPartition]:
    """All partitions of all topics, as soon as every topic exists; none if the process is stopped before."""
    while not stop.is_set():
        found = {topic: sorted(consumer.partitions_for_topic(topic) or ()) for topic in topics}
        health.has("log")
        missing = [topic for topic, numbers in found.items() if not numbers]
        if not missing:
            health.has("topics")
            return [TopicPartition(topic, number) for topic, numbers in found.items() for number in numbers]
        health.waits_for("topics", f"these do not exist: {', '.join(missing)}; create them with `alliance topics`")
        stop.wait(RETRY_SECONDS)
    return []
