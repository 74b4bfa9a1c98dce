"""What is seen of the running system, gathered a little at a time.

In: the addresses of the processes and the store's file. Out: counts, news, published figures, latency, health.
Never: block for long, or ask more often than a person can read.
"""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from alliance.demo import metrics
from alliance.demo.figures import Counts, Figures
from alliance.demo.plan import Label
from alliance.demo.snapshot import FlagNews, Latency, TherapistLine

RATE_SECONDS = 5.0
METRICS_SECONDS = 1.0
HEALTH_SECONDS = 2.0
NEWS_KEPT = 200


class Watch:
    """Looks at the system; its attributes are what it last saw."""

    def __init__(self, database: Path, label: Label, addresses: Mapping[str, str]) -> None:
        """`addresses`: where each process answers, by its name."""
        self._database = database
        self._label = label
        self._addresses = addresses
        self._to_row = metrics.RecentLatency("store")
        self._to_flag = metrics.RecentLatency("cases")
        self._rates: deque[tuple[float, int]] = deque()
        self._next_metrics = self._next_health = 0.0
        self.figures: Figures | None = None
        self.health = dict.fromkeys(addresses, "starting")
        self.counts = Counts()
        self.per_second = 0.0
        self.news: list[FlagNews] = []
        self.therapists: tuple[TherapistLine, ...] = ()
        self.to_row: Latency | None = None
        self.to_flag: Latency | None = None

    def look(self) -> None:
        """Refresh what is due."""
        now = monotonic()
        if now >= self._next_health:
            self.health = {name: metrics.health(address) for name, address in self._addresses.items()}
            self._next_health = now + (HEALTH_SECONDS if self.figures else HEALTH_SECONDS / 8)
        if self.figures is None and self.health["store"] == "ok":
            self.figures = Figures(self._database, self._label)
        if self.figures is not None:
            self.counts = self.figures.counts()
            self.per_second = self._rate(now, self.counts.archived)
            self.news = (self.figures.news()[::-1] + self.news)[:NEWS_KEPT]
        if now >= self._next_metrics:
            self.to_row = self._to_row.take(metrics.samples(self._addresses["store"]), now)
            self.to_flag = self._to_flag.take(metrics.samples(self._addresses["worker"]), now)
            self.therapists = self.published()
            self._next_metrics = now + METRICS_SECONDS

    def published(self) -> tuple[TherapistLine, ...]:
        """The therapists of this run as the exporter publishes them at this moment."""
        prefix = self._label.therapist_prefix
        exported = metrics.therapists(metrics.samples(self._addresses["exporter"]))
        return tuple(line for line in exported if line.therapist.startswith(prefix))

    def close(self) -> None:
        """Let go of the store's file."""
        if self.figures is not None:
            self.figures.close()

    def _rate(self, now: float, archived: int) -> float:
        self._rates.append((now, archived))
        while now - self._rates[0][0] > RATE_SECONDS:
            self._rates.popleft()
        since, before = self._rates[0]
        return (archived - before) / (now - since) if now > since else 0.0
