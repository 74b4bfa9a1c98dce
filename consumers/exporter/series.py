"""The exporter's series: names, labels, and how figures become samples.

In: a `Book` and a clock. Out: a collector for a Prometheus registry.
Never: a mean (sums and counts only), a label outside team, therapist and closed lists.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from consumers.exporter.figures import Book, Told, Window, window
from schemas.flags import SEVERITIES
from schemas.instruments.definition import INGREDIENTS
from schemas.summaries import TherapistSummary

MINUTE, HOUR, DAY = 60, 3600, 86400
ACKNOWLEDGE_SECONDS = (15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY)

_PER_THERAPIST: dict[str, str] = {
    "score_points": "Sum over scored cases of the latest score, 0-1 each; only after disclosure control.",
    "scored_cases": "Cases behind score_points.",
    "active_cases": "Cases that are not closed.",
    "oldest_unacknowledged_flag_timestamp_seconds": "When the longest waiting unacknowledged flag was opened; 0: none.",
    "repaired_flags": "Flags repaired in the last 90 days.",
    "unrepaired_flags": "Flags that ended unrepaired in the last 90 days.",
    "sessions_held": "Sessions held in the last 28 days.",
    "checkins_completed": "Sessions of the last 28 days with a scored client check-in.",
}


class TherapistCollector(Collector):
    """The gauges of every therapist, made anew at each scrape; who has gone leaves no series."""

    def __init__(self, book: Book, now: Callable[[], datetime]) -> None:
        self._book = book
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """All families, each with one sample per therapist."""
        summaries = sorted(self._book.therapists.copy().values(), key=lambda one: one.therapist_id)
        families = {
            name: GaugeMetricFamily(f"alliance_therapist_{name}", text, labels=["team", "therapist"])
            for name, text in _PER_THERAPIST.items()
        }
        by_ingredient = GaugeMetricFamily(
            "alliance_therapist_ingredient_points",
            "As score_points, for one ingredient.",
            labels=["team", "therapist", "ingredient"],
        )
        by_severity = GaugeMetricFamily(
            "alliance_therapist_open_flag_cases",
            "Active cases with a live flag.",
            labels=["team", "therapist", "severity"],
        )
        today = self._now().date()
        for one in summaries:
            labels = [one.team, one.therapist_id]
            for name, value in _figures(one, window(one.days, today)).items():
                families[name].add_metric(labels, value)
            if one.published is not None:
                for ingredient in INGREDIENTS:
                    if ingredient in one.published.ingredient_points:
                        by_ingredient.add_metric([*labels, ingredient], one.published.ingredient_points[ingredient])
            for severity in SEVERITIES:
                by_severity.add_metric([*labels, severity], one.open_flag_cases.get(severity, 0))
        return [*families.values(), by_ingredient, by_severity, _last_events(summaries)]


def _figures(one: TherapistSummary, counts: Window) -> dict[str, float]:
    """A therapist's plain gauges; scores only where something has been published."""
    oldest = one.oldest_unacknowledged_at
    figures: dict[str, float] = {
        "active_cases": one.active_cases,
        "oldest_unacknowledged_flag_timestamp_seconds": 0 if oldest is None else oldest.timestamp(),
        "repaired_flags": counts.repaired_flags,
        "unrepaired_flags": counts.unrepaired_flags,
        "sessions_held": counts.sessions_held,
        "checkins_completed": counts.checkins_completed,
    }
    if one.published is not None:
        figures["score_points"] = one.published.score_points
        figures["scored_cases"] = one.published.scored_cases
    return figures


def _last_events(summaries: list[TherapistSummary]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "alliance_last_event_timestamp_seconds", "Time of the newest event of a team.", labels=["team"]
    )
    newest: dict[str, float] = {}
    for one in summaries:
        if one.last_event_at is not None:
            newest[one.team] = max(newest.get(one.team, 0.0), one.last_event_at.timestamp())
    for team, timestamp in sorted(newest.items()):
        family.add_metric([team], timestamp)
    return family


class FlagMeters:
    """Counters and histogram of what flags newly tell."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._opened = Counter(
            "alliance_flags_opened_total", "Flags opened.", ["team", "kind", "severity"], registry=registry
        )
        self._acknowledged = Histogram(
            "alliance_flag_acknowledge_seconds",
            "From the opening of a flag to its acknowledgement.",
            ["team"],
            buckets=ACKNOWLEDGE_SECONDS,
            registry=registry,
        )

    def count(self, told: Told, team: str) -> None:
        """Count once what is new."""
        if told.opened is not None:
            self._opened.labels(team, told.opened.kind, told.opened.severity).inc()
        if told.acknowledged_after is not None:
            self._acknowledged.labels(team).observe(told.acknowledged_after.total_seconds())
