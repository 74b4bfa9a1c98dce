"""Reading a process over HTTP: its health and its metrics.

In: the address of a process of ours. Out: samples, quantiles, one word of health.
Never: wait longer than a moment; raise because a process does not answer (it may still be starting).
"""

import json
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping
from http.client import HTTPException

from prometheus_client.parser import text_string_to_metric_families

from alliance.demo.snapshot import Latency, TherapistLine

ANSWER_SECONDS = 2.0
WINDOW_SECONDS = 15.0

_THERAPIST = "alliance_therapist_"

Samples = dict[str, list[tuple[Mapping[str, str], float]]]


def get(address: str, path: str) -> str:
    """The body of a page, whatever its status; empty when nobody answers."""
    try:
        with urllib.request.urlopen(f"{address}{path}", timeout=ANSWER_SECONDS) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except (OSError, HTTPException):
        return ""


def health(address: str) -> str:
    """`ok`, `starting` or `waiting for …`."""
    body = get(address, "/health")
    if not body:
        return "starting"
    report = json.loads(body)
    waiting = ", ".join(one["part"] for one in report["waiting_for"])
    return f"waiting for {waiting}" if waiting else str(report["status"])


def samples(address: str) -> Samples:
    """All samples of `/metrics`, by name."""
    found: Samples = {}
    for family in text_string_to_metric_families(get(address, "/metrics")):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def therapists(exported: Samples) -> tuple[TherapistLine, ...]:
    """The therapists as the exporter publishes them, in the order of their pseudonyms."""
    figures: dict[tuple[str, str], dict[str, float]] = {}
    open_flags: dict[str, dict[str, int]] = {}
    for name, found in exported.items():
        if not name.startswith(_THERAPIST):
            continue
        for labels, value in found:
            if "severity" in labels:
                open_flags.setdefault(labels["therapist"], {})[labels["severity"]] = int(value)
            elif "ingredient" not in labels:
                who = labels["therapist"], labels["team"]
                figures.setdefault(who, {})[name.removeprefix(_THERAPIST)] = value
    return tuple(_line(*who, figures[who], open_flags.get(who[0], {})) for who in sorted(figures))


def _line(therapist: str, team: str, figures: Mapping[str, float], open_flags: Mapping[str, int]) -> TherapistLine:
    """A mean only where the sum and the number of clients behind it are published."""
    points, cases = figures.get("score_points"), int(figures.get("scored_cases", 0))
    mean = points / cases if points is not None and cases else None
    return TherapistLine(
        therapist=therapist,
        team=team,
        mean=mean,
        scored_cases=None if mean is None else cases,
        active_cases=int(figures.get("active_cases", 0)),
        sessions_held=int(figures.get("sessions_held", 0)),
        checkins_completed=int(figures.get("checkins_completed", 0)),
        open_flags=open_flags,
    )


class RecentLatency:
    """Quantiles of the last moments, from the histogram of one stage, which only grows."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._seen: deque[tuple[float, dict[float, float]]] = deque()

    def take(self, seen: Samples, now: float) -> Latency | None:
        """The quantiles of the last `WINDOW_SECONDS` before `now`, a monotonic second; None when there was nothing."""
        buckets = {
            float(labels["le"]): value
            for labels, value in seen.get("alliance_event_latency_seconds_bucket", [])
            if labels["stage"] == self._stage
        }
        if not buckets:
            return None
        self._seen.append((now, buckets))
        while now - self._seen[0][0] > WINDOW_SECONDS:
            self._seen.popleft()
        before = self._seen[0][1]
        recent = {bound: value - before[bound] for bound, value in buckets.items()}
        count = max(recent.values())
        if count <= 0:
            return None
        return Latency(p50=quantile(recent, 0.5), p99=quantile(recent, 0.99), events=int(count))


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """As Prometheus does it: linear inside the bucket; beyond the last finite bound that bound."""
    wanted = share * max(buckets.values())
    lower, below = 0.0, 0.0
    for bound in sorted(buckets):
        if buckets[bound] >= wanted:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (wanted - below) / ((buckets[bound] - below) or 1.0)
        lower, below = bound, buckets[bound]
    return lower
