"""A consumer that cannot be created cleans up."""

import gc
import threading
from pathlib import Path

import pytest
from kafka.errors import KafkaTimeoutError

from consumers import kafka_consumer
from pipeline.runtime.http import listen
from pipeline.runtime.processes import LOOPBACK

DESCRIPTORS = Path("/proc/self/fd")


def test_a_consumer_that_cannot_be_created_leaves_no_thread_and_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_consumer, "BOOTSTRAP_MS", 100)
    with listen(LOOPBACK, 0) as silent:
        gc.collect()
        threads, descriptors = threading.enumerate(), list(DESCRIPTORS.iterdir())
        with pytest.raises(KafkaTimeoutError):
            kafka_consumer.Consumer(bootstrap_servers=f"{LOOPBACK}:{silent.getsockname()[1]}", group_id=None)
        gc.collect()
        assert threading.enumerate() == threads
        assert len(list(DESCRIPTORS.iterdir())) == len(descriptors)
