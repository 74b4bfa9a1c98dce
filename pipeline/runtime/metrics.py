"""The technical metrics of the processes: a closed list of names and labels.

In: counts and seconds. Out: series in a registry.
Never: a label with a client, a case, a session or any other unbounded value.
"""

import time
from bisect import bisect_left
from collections import Counter as CountOf
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.events import EVENT_TYPES
from schemas.refusals import Reason

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
#: The stages of an event's latency: from the record's Kafka timestamp to the end of each of them.
STAGES = ("cases", "therapists", "store", "exporter", "notifier")


class ManyAtOnce(Histogram):
    """A histogram to which a whole batch is added at the cost of a few observations."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """The same as `observe` for each amount; a test compares the two."""
        # Private attributes of prometheus_client: its public `observe` takes a lock for each amount and bucket.
        bounds = self._upper_bounds
        for place, count in CountOf(bisect_left(bounds, amount) for amount in amounts).items():
            self._buckets[place].inc(count)
        self._sum.inc(sum(amounts))


class Meters:
    """The technical metrics of one process, every label value present from the start."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter(
            "alliance_events_total", "Accepted events processed here.", ["type"], registry=self.registry
        )
        self.rejected = Counter("alliance_rejected_total", "Records refused here.", ["reason"], registry=self.registry)
        self.paused = Gauge(
            "alliance_paused_partitions",
            "Partitions paused until an operator resumes them, because too many of their records were refused.",
            registry=self.registry,
        )
        self.stalled = Gauge(
            "alliance_partition_stalled_seconds",
            "For how long a partition of the worker has not moved although it has unread records; 0: all move.",
            registry=self.registry,
        )
        self.latency = ManyAtOnce(
            "alliance_event_latency_seconds",
            "From the record's Kafka timestamp to the end of a stage.",
            ["stage"],
            buckets=SECONDS,
            registry=self.registry,
        )
        Gauge("alliance_build_info", "1; the label carries the version.", ["version"], registry=self.registry).labels(
            version
        ).set(1)
        for name in EVENT_TYPES:
            self.events.labels(name)
        for reason in Reason:
            self.rejected.labels(reason.value)
        for stage in STAGES:
            self.latency.labels(stage)

    def count(self, accepted: Mapping[str, int], refused: Mapping[str, int]) -> None:
        """Add accepted events by type, and refused records by reason."""
        for name, count in accepted.items():
            self.events.labels(name).inc(count)
        for reason, count in refused.items():
            self.rejected.labels(reason).inc(count)

    def done(self, stage: str, timestamps: Iterable[float]) -> None:
        """Records with these Kafka timestamps (seconds since 1970) have just left a stage."""
        now = time.time()
        self.latency.labels(stage).observe_all([max(0.0, now - timestamp) for timestamp in timestamps])
