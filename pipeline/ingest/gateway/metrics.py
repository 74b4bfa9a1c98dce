"""The gateway's metrics: a closed list of names and labels.

In: results of requests and events. Out: series in a registry of their own.
Never: a label that says who sent an event, or whom it is about.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.refusals import Reason

#: Every status that `POST /v1/events` answers with; any other status counts as `other`.
STATUSES = ("202", "400", "401", "413", "415", "422", "500", "503")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class GatewayMeters:
    """Every label value is present from the start."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "alliance_gateway_requests_total",
            "Requests to /v1/events that were answered.",
            ["status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "alliance_gateway_request_seconds",
            "From the first byte of a request to /v1/events to its answer.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._acknowledged = Counter(
            "alliance_gateway_events_total", "Events that the broker has acknowledged.", registry=self.registry
        )
        self._refused = Counter(
            "alliance_gateway_refused_total", "Events that the gateway refused.", ["reason"], registry=self.registry
        )
        build = Gauge("alliance_build_info", "1; the label carries the version.", ["version"], registry=self.registry)
        build.labels(version).set(1)
        for status in (*STATUSES, "other"):
            self._requests.labels(status)
        for reason in Reason:
            self._refused.labels(reason.value)

    def answered(self, status: int, seconds: float) -> None:
        """A request has its answer."""
        text = str(status)
        self._requests.labels(text if text in STATUSES else "other").inc()
        self._seconds.observe(seconds)

    def acknowledged(self, count: int) -> None:
        """The broker has acknowledged this many events."""
        self._acknowledged.inc(count)

    def refused(self, reason: Reason) -> None:
        """An event was refused."""
        self._refused.labels(reason.value).inc()
