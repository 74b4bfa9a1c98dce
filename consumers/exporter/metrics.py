"""The exporter's series: names, labels, help texts, and a collector for the library.

In: an `ExporterState` and a clock. Out: a collector for a Prometheus registry; counters of flags.
Never: a mean (sums and counts only); a label outside team, therapist and closed lists.

The process serves what `consumers.exporter.exposition` writes, which is faster. The collector here is the plain way.
The tests check that both give the same bytes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from consumers.exporter.state import ExporterState, FlagChange, Therapist, Window
from schemas.flags import KINDS, SEVERITIES
from schemas.instruments.definition import INGREDIENTS

MINUTE, HOUR, DAY = 60, 3600, 86400
ACKNOWLEDGE_SECONDS = (15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY)

#: The samples of one family for one therapist: pairs of the closed label's value (or "") and the figure.
Values = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of a therapist."""

    name: str
    help: str
    values: Callable[[Therapist, Window], Values]
    #: The closed label beside team and therapist; empty if the family has no such label.
    label: str = ""
    #: Whether the figure can change at midnight UTC without an event.
    changes_with_the_day: bool = False


def _single(value: float) -> Values:
    return [("", value)]


def _if_published(therapist: Therapist, value: float) -> Values:
    return [] if therapist.scored_cases is None else [("", value)]


def _by_ingredient(therapist: Therapist, place: int) -> Values:
    pairs = zip(INGREDIENTS, therapist.ingredients, strict=True)
    return [(ingredient, figures[place]) for ingredient, figures in pairs if figures is not None]


FAMILIES: tuple[Family, ...] = (
    Family(
        "alliance_therapist_score_points",
        "Sum over scored cases of the latest score, 0-1 each; only after disclosure control.",
        lambda therapist, _: _if_published(therapist, therapist.score_points),
    ),
    Family(
        "alliance_therapist_scored_cases",
        "Cases behind score_points.",
        lambda therapist, _: _if_published(therapist, therapist.scored_cases or 0),
    ),
    Family(
        "alliance_therapist_active_cases",
        "Cases that are not closed.",
        lambda therapist, _: _single(therapist.active_cases),
    ),
    Family(
        "alliance_therapist_oldest_unacknowledged_flag_timestamp_seconds",
        "When the oldest flag that waits for an acknowledgement was opened; 0 if none waits.",
        lambda therapist, _: _single(therapist.oldest_unacknowledged_at),
    ),
    Family(
        "alliance_therapist_repaired_flags",
        "Flags repaired in the last 90 days.",
        lambda _, counts: _single(counts.repaired_flags),
        changes_with_the_day=True,
    ),
    Family(
        "alliance_therapist_unrepaired_flags",
        "Flags that ended unrepaired in the last 90 days.",
        lambda _, counts: _single(counts.unrepaired_flags),
        changes_with_the_day=True,
    ),
    Family(
        "alliance_therapist_sessions_held",
        "Sessions held in the last 28 days.",
        lambda _, counts: _single(counts.sessions_held),
        changes_with_the_day=True,
    ),
    Family(
        "alliance_therapist_checkins_completed",
        "Sessions of the last 28 days with a scored client check-in.",
        lambda _, counts: _single(counts.checkins_completed),
        changes_with_the_day=True,
    ),
    Family(
        "alliance_therapist_ingredient_points",
        "As score_points, for each ingredient.",
        lambda therapist, _: _by_ingredient(therapist, 0),
        label="ingredient",
    ),
    Family(
        "alliance_therapist_ingredient_scored_cases",
        "Cases behind ingredient_points: those whose latest score has the ingredient.",
        lambda therapist, _: _by_ingredient(therapist, 1),
        label="ingredient",
    ),
    Family(
        "alliance_therapist_open_flag_cases",
        "Active cases with an open or acknowledged flag.",
        lambda therapist, _: list(zip(SEVERITIES, therapist.open_flag_cases, strict=True)),
        label="severity",
    ),
)
LAST_EVENT = ("alliance_last_event_timestamp_seconds", "Time of the newest event of a team.")


def last_events(therapists: Iterable[Therapist]) -> list[tuple[str, float]]:
    """The time of the newest event of each team that still has a therapist."""
    newest: dict[str, float] = {}
    for therapist in therapists:
        if therapist.last_event_at > newest.get(therapist.team, 0.0):
            newest[therapist.team] = therapist.last_event_at
    return sorted(newest.items())


class TherapistCollector(Collector):
    """The gauges of every therapist, computed at each scrape. A therapist who has left has no series."""

    def __init__(self, state: ExporterState, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """All families, each with the samples of every therapist."""
        today = self._now().date()
        # Copied first, because another thread may add a therapist meanwhile.
        everyone = sorted(self._state.therapists.copy().values(), key=lambda therapist: therapist.therapist_id)
        shown = [(row, counts) for row in everyone if row.is_shown(counts := row.totals.window(today))]
        for family in FAMILIES:
            closed = [family.label] if family.label else []
            metric = GaugeMetricFamily(family.name, family.help, labels=["team", "therapist", *closed])
            for therapist, counts in shown:
                for label, value in family.values(therapist, counts):
                    metric.add_metric([therapist.team, therapist.therapist_id, *([label] if closed else [])], value)
            yield metric
        newest = GaugeMetricFamily(*LAST_EVENT, labels=["team"])
        for team, timestamp in last_events(therapist for therapist, _ in shown):
            newest.add_metric([team], timestamp)
        yield newest


class FlagMeters:
    """Counters and a histogram of flags. All series of a team exist as soon as the team is known."""

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

    def add_team(self, team: str) -> None:
        """Create the team's series at 0, because Prometheus computes a rate only from a first value on."""
        if team in self._teams:
            return
        self._teams.add(team)
        self._acknowledged.labels(team)
        for kind in KINDS:
            for severity in SEVERITIES:
                self._opened.labels(team, kind, severity)

    def count(self, change: FlagChange, team: str) -> None:
        """Count what a snapshot has changed."""
        self.add_team(team)
        if change.opened is not None:
            self._opened.labels(team, change.opened.kind, change.opened.severity).inc()
        if change.acknowledged_after is not None:
            self._acknowledged.labels(team).observe(change.acknowledged_after.total_seconds())
