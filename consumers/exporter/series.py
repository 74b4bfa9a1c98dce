"""The exporter's series: names, labels, help, and how the library would show them.

In: a `Book` and a clock. Out: a collector for a Prometheus registry; counters of what flags newly tell.
Never: a mean (sums and counts only), a label outside team, therapist and closed lists.

What is served is written by `consumers.exporter.exposition`, which is faster; the collector here is the plain way, and
the tests say that both give the same bytes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from consumers.exporter.state import Book, Therapist, Told, Window
from schemas.flags import KINDS, SEVERITIES
from schemas.instruments.definition import INGREDIENTS

MINUTE, HOUR, DAY = 60, 3600, 86400
ACKNOWLEDGE_SECONDS = (15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY)

#: The values of one family for one therapist: (value of the closed label, figure) each; without one: "".
Values = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of a therapist."""

    name: str
    help: str
    values: Callable[[Therapist, Window], Values]
    #: The closed label beside team and therapist; empty: none.
    label: str = ""
    #: Whether the figure changes with the day, without an event.
    is_of_a_window: bool = False


def _one(value: float) -> Values:
    return [("", value)]


def _scores(one: Therapist, value: float) -> Values:
    return [] if one.scored_cases is None else [("", value)]


def _by_ingredient(one: Therapist, place: int) -> Values:
    pairs = zip(INGREDIENTS, one.ingredients, strict=True)
    return [(ingredient, figures[place]) for ingredient, figures in pairs if figures is not None]


FAMILIES: tuple[Family, ...] = (
    Family(
        "alliance_therapist_score_points",
        "Sum over scored cases of the latest score, 0-1 each; only after disclosure control.",
        lambda one, _: _scores(one, one.score_points),
    ),
    Family(
        "alliance_therapist_scored_cases",
        "Cases behind score_points.",
        lambda one, _: _scores(one, one.scored_cases or 0),
    ),
    Family("alliance_therapist_active_cases", "Cases that are not closed.", lambda one, _: _one(one.active_cases)),
    Family(
        "alliance_therapist_oldest_unacknowledged_flag_timestamp_seconds",
        "When the longest waiting unacknowledged flag was opened; 0: none.",
        lambda one, _: _one(one.oldest_unacknowledged_at),
    ),
    Family(
        "alliance_therapist_repaired_flags",
        "Flags repaired in the last 90 days.",
        lambda _, counts: _one(counts.repaired_flags),
        is_of_a_window=True,
    ),
    Family(
        "alliance_therapist_unrepaired_flags",
        "Flags that ended unrepaired in the last 90 days.",
        lambda _, counts: _one(counts.unrepaired_flags),
        is_of_a_window=True,
    ),
    Family(
        "alliance_therapist_sessions_held",
        "Sessions held in the last 28 days.",
        lambda _, counts: _one(counts.sessions_held),
        is_of_a_window=True,
    ),
    Family(
        "alliance_therapist_checkins_completed",
        "Sessions of the last 28 days with a scored client check-in.",
        lambda _, counts: _one(counts.checkins_completed),
        is_of_a_window=True,
    ),
    Family(
        "alliance_therapist_ingredient_points",
        "As score_points, for one ingredient.",
        lambda one, _: _by_ingredient(one, 0),
        label="ingredient",
    ),
    Family(
        "alliance_therapist_ingredient_scored_cases",
        "Cases behind ingredient_points: those whose latest score has the ingredient.",
        lambda one, _: _by_ingredient(one, 1),
        label="ingredient",
    ),
    Family(
        "alliance_therapist_open_flag_cases",
        "Active cases with a live flag.",
        lambda one, _: list(zip(SEVERITIES, one.open_flag_cases, strict=True)),
        label="severity",
    ),
)
LAST_EVENT = ("alliance_last_event_timestamp_seconds", "Time of the newest event of a team.")


def last_events(therapists: Iterable[Therapist]) -> list[tuple[str, float]]:
    """The newest event of each team that still has somebody."""
    newest: dict[str, float] = {}
    for one in therapists:
        if one.last_event_at > newest.get(one.team, 0.0):
            newest[one.team] = one.last_event_at
    return sorted(newest.items())


class TherapistCollector(Collector):
    """The gauges of every therapist, made anew at each scrape; who has gone leaves no series."""

    def __init__(self, book: Book, now: Callable[[], datetime]) -> None:
        self._book = book
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """All families, each with the samples of every therapist."""
        today = self._now().date()
        everyone = sorted(self._book.therapists.copy().values(), key=lambda one: one.therapist_id)
        seen = [(one, counts) for one in everyone if one.is_shown(counts := one.totals.window(today))]
        for family in FAMILIES:
            closed = [family.label] if family.label else []
            metric = GaugeMetricFamily(family.name, family.help, labels=["team", "therapist", *closed])
            for one, counts in seen:
                for label, value in family.values(one, counts):
                    metric.add_metric([one.team, one.therapist_id, *([label] if closed else [])], value)
            yield metric
        newest = GaugeMetricFamily(*LAST_EVENT, labels=["team"])
        for team, timestamp in last_events(one for one, _ in seen):
            newest.add_metric([team], timestamp)
        yield newest


class FlagMeters:
    """Counters and histogram of what flags newly tell; every series of a known team is there from the start."""

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
        self._teams: set[str] = set()

    def know(self, team: str) -> None:
        """Show the team's series, at 0 until something is counted: a rate needs a first value."""
        if team in self._teams:
            return
        self._teams.add(team)
        self._acknowledged.labels(team)
        for kind in KINDS:
            for severity in SEVERITIES:
                self._opened.labels(team, kind, severity)

    def count(self, told: Told, team: str) -> None:
        """Count once what is new."""
        self.know(team)
        if told.opened is not None:
            self._opened.labels(team, told.opened.kind, told.opened.severity).inc()
        if told.acknowledged_after is not None:
            self._acknowledged.labels(team).observe(told.acknowledged_after.total_seconds())
