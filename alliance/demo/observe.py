"""What is seen of the running system: its store, its metrics and its health, read a little at a time.

In: the addresses of the processes, the store's SQLite file. Out: counts, changes of flags, published figures, latency.
Never: a write to the store (the connection is read-only); a client's answers; a wait longer than a moment; an error
because a process does not answer (it may still be starting).
"""

import json
import urllib.error
import urllib.request
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Column, ColumnElement, Connection, Integer, Select, create_engine, func, literal_column, select

from alliance.demo.plan import Label
from alliance.demo.snapshot import FlagUpdate, Latency, PublishedTherapist
from alliance.demo.supervisor import RaisedFlag
from consumers.store.tables import checkins, events, flag_changes, flags, rejected, therapists
from schemas.flags import LIVE_STATUSES

#: A rupture is caught when a flag opens in the session in which it begins or in one of the next two.
CAUGHT_WITHIN_SESSIONS = 3
RATE_SECONDS = 5.0
METRICS_SECONDS = 1.0
HEALTH_SECONDS = 2.0
#: Before the store answers for the first time health is asked more often, so that the demonstration starts soon.
STARTING_HEALTH_SECONDS = HEALTH_SECONDS / 8
UPDATES_KEPT = 200
ANSWER_SECONDS = 2.0
LATENCY_SECONDS = 15.0

_THERAPIST = "alliance_therapist_"
#: SQLite numbers rows in the order in which they were inserted.
_row_number: ColumnElement[int] = literal_column("rowid", Integer)

Samples = dict[str, list[tuple[Mapping[str, str], float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How far the pipeline has come with this run's records."""

    archived: int = 0
    refused: int = 0
    #: Sum of the therapists' versions: accepted events that have gone through both agents and into the store.
    summarised: int = 0
    flags: int = 0
    live_flags: int = 0

    @property
    def settled(self) -> int:
        """Records that were accepted or refused and have been processed to the end."""
        return min(self.archived, self.summarised) + self.refused


class StoreReader:
    """Read-only questions to the store about the cases and therapists of this run; its schema must exist."""

    def __init__(self, database: Path, label: Label) -> None:
        self._engine = create_engine(f"sqlite:///file:{quote(str(database))}?mode=ro&uri=true")
        self._label = label
        self._last_row = 0
        #: Status, severity and whether it was discussed, of each flag as last seen.
        self._known: dict[str, tuple[str, str, bool]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def counts(self) -> Counts:
        """All counts at one moment."""
        live = flags.c.status.in_(LIVE_STATUSES)
        with self._engine.connect() as connection:
            return Counts(
                archived=_number(connection, self._count(events.c.case_id)),
                refused=_number(connection, self._count_refused()),
                summarised=_number(connection, self._of_therapists(select(func.sum(therapists.c.version)))),
                flags=_number(connection, self._count(flags.c.case_id)),
                live_flags=_number(connection, self._count(flags.c.case_id).where(live)),
            )

    def checkins(self) -> int:
        """Check-ins, each in its latest revision."""
        with self._engine.connect() as connection:
            return _number(connection, self._count(checkins.c.case_id))

    def raised_flags(self) -> list[RaisedFlag]:
        """This run's flags, for the supervisor."""
        columns = (flags.c.flag_id, flags.c.case_id, flags.c.severity, flags.c.opened_at, flags.c.closed_at)
        query = self._of_cases(select(*columns), flags.c.case_id).where(flags.c.status != "retracted")
        with self._engine.connect() as connection:
            return [RaisedFlag(**row._mapping) for row in connection.execute(query)]

    def flag_updates(self) -> list[FlagUpdate]:
        """The changes of flags since the last call, the oldest first."""
        query = self._of_cases(select(_row_number, flag_changes), flag_changes.c.case_id)
        query = query.where(_row_number > self._last_row).order_by(_row_number)
        with self._engine.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        if rows:
            self._last_row = rows[-1]["rowid"]
        changes = [(row, self._change(row)) for row in rows]
        return [_flag_update(row, change) for row, change in changes if change]

    def flag_counts(self) -> Mapping[tuple[str, str], int]:
        """Flags by kind and status."""
        query = select(flags.c.kind, flags.c.status, func.count()).group_by(flags.c.kind, flags.c.status)
        with self._engine.connect() as connection:
            rows = connection.execute(self._of_cases(query, flags.c.case_id)).all()
        return {(kind, status): count for kind, status, count in rows}

    def caught_ruptures(self, truth: Iterable[Mapping[str, Any]]) -> Mapping[str, tuple[int, int]]:
        """By kind of rupture: how many of the planted ones were flagged in time, and how many were planted."""
        query = self._of_cases(select(flags.c.case_id, flags.c.session_number), flags.c.case_id)
        with self._engine.connect() as connection:
            flagged = {(row.case_id, row.session_number) for row in connection.execute(query)}
        caught, planted = Counter[str](), Counter[str]()
        for row in truth:
            sessions = range(row["onset_session"], row["onset_session"] + CAUGHT_WITHIN_SESSIONS)
            planted[row["kind"]] += 1
            caught[row["kind"]] += any((row["case_id"], number) in flagged for number in sessions)
        return {kind: (caught[kind], count) for kind, count in planted.items()}

    def active_cases(self) -> Mapping[str, int]:
        """Active cases of each of this run's therapists."""
        query = self._of_therapists(select(therapists.c.therapist_id, therapists.c.active_cases))
        with self._engine.connect() as connection:
            return {row.therapist_id: row.active_cases for row in connection.execute(query)}

    def _change(self, row: Mapping[str, Any]) -> str:
        """What is new in this snapshot of the flag; empty if the screen shows nothing of it."""
        flag_id, was_discussed = row["flag_id"], row["discussed_at"] is not None
        before = self._known.get(flag_id)
        self._known[flag_id] = row["status"], row["severity"], was_discussed
        if before is None or before[0] != row["status"]:
            return str(row["status"])
        if before[2] != was_discussed:
            return "discussed"
        return f"now {row['severity']}" if before[1] != row["severity"] else ""

    def _count(self, case_id: Column[Any]) -> Select[Any]:
        return self._of_cases(select(func.count()).select_from(case_id.table), case_id)

    def _count_refused(self) -> Select[Any]:
        """Refused records are recognised by their key, the bytes of the case's id."""
        query = select(func.count()).select_from(rejected)
        prefix = self._label.case_prefix.encode()
        return query.where(func.substr(rejected.c.key, 1, len(prefix)) == prefix) if prefix else query

    def _of_cases(self, query: Select[Any], case_id: Column[Any]) -> Select[Any]:
        prefix = self._label.case_prefix
        return query.where(case_id.startswith(prefix, autoescape=True)) if prefix else query

    def _of_therapists(self, query: Select[Any]) -> Select[Any]:
        prefix = self._label.therapist_prefix
        return query.where(therapists.c.therapist_id.startswith(prefix, autoescape=True)) if prefix else query


def _number(connection: Connection, query: Select[Any]) -> int:
    return connection.scalar(query) or 0


def _flag_update(row: Mapping[str, Any], change: str) -> FlagUpdate:
    return FlagUpdate(
        number=row["rowid"],
        at=row["updated_at"],
        change=change,
        kind=row["kind"],
        severity=row["severity"],
        team=row["team"],
        therapist=row["therapist_id"],
        session_number=row["session_number"],
        explanation=row["explanation"],
    )


class Observer:
    """Looks at the system; its attributes are what it saw last."""

    def __init__(self, database: Path, label: Label, addresses: Mapping[str, str]) -> None:
        """`addresses`: where each process answers, by the name of its command."""
        self._database = database
        self._label = label
        self._addresses = addresses
        self._row_latency = RecentLatency("store")
        self._flag_latency = RecentLatency("cases")
        self._archived: deque[tuple[float, int]] = deque()
        self._next_metrics = self._next_health = 0.0
        #: None until the store has made its schema.
        self.store: StoreReader | None = None
        self.health = dict.fromkeys(addresses, "starting")
        self.counts = Counts()
        self.per_second = 0.0
        self.flag_updates: list[FlagUpdate] = []
        self.therapists: tuple[PublishedTherapist, ...] = ()
        self.to_row: Latency | None = None
        self.to_flag: Latency | None = None

    def refresh(self) -> None:
        """Look again at what is due."""
        now = monotonic()
        if now >= self._next_health:
            self.health = {name: health(address) for name, address in self._addresses.items()}
            self._next_health = now + (HEALTH_SECONDS if self.store else STARTING_HEALTH_SECONDS)
        if self.store is None and self.health["store"] == "ok":
            self.store = StoreReader(self._database, self._label)
        if self.store is not None:
            self.counts = self.store.counts()
            self.per_second = self._rate(now, self.counts.archived)
            self.flag_updates = (self.store.flag_updates()[::-1] + self.flag_updates)[:UPDATES_KEPT]
        if now >= self._next_metrics:
            self.to_row = self._row_latency.update(samples(self._addresses["store"]), now)
            self.to_flag = self._flag_latency.update(samples(self._addresses["worker"]), now)
            self.therapists = self._published()
            self._next_metrics = now + METRICS_SECONDS

    def close(self) -> None:
        """Close the store's file."""
        if self.store is not None:
            self.store.close()

    def _published(self) -> tuple[PublishedTherapist, ...]:
        """The therapists of this run as the exporter publishes them now."""
        prefix = self._label.therapist_prefix
        published = published_therapists(samples(self._addresses["exporter"]))
        return tuple(therapist for therapist in published if therapist.therapist.startswith(prefix))

    def _rate(self, now: float, archived: int) -> float:
        """Archived events a second, over the last `RATE_SECONDS`."""
        self._archived.append((now, archived))
        while now - self._archived[0][0] > RATE_SECONDS:
            self._archived.popleft()
        since, before = self._archived[0]
        return (archived - before) / (now - since) if now > since else 0.0


def page(address: str, path: str) -> str:
    """The body of a page, whatever its status; empty when the process does not answer."""
    try:
        with urllib.request.urlopen(f"{address}{path}", timeout=ANSWER_SECONDS) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except (OSError, HTTPException):
        return ""


def health(address: str) -> str:
    """`ok`, `starting` or `waiting for …`."""
    body = page(address, "/health")
    if not body:
        return "starting"
    report = json.loads(body)
    waiting = ", ".join(part["part"] for part in report["waiting_for"])
    return f"waiting for {waiting}" if waiting else str(report["status"])


def samples(address: str) -> Samples:
    """All samples of `/metrics`, by name."""
    found: Samples = {}
    for family in text_string_to_metric_families(page(address, "/metrics")):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def published_therapists(exported: Samples) -> tuple[PublishedTherapist, ...]:
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
                key = labels["therapist"], labels["team"]
                figures.setdefault(key, {})[name.removeprefix(_THERAPIST)] = value
    return tuple(_published_therapist(*key, figures[key], open_flags.get(key[0], {})) for key in sorted(figures))


def _published_therapist(
    therapist: str, team: str, figures: Mapping[str, float], open_flags: Mapping[str, int]
) -> PublishedTherapist:
    """A mean only where the sum and the number of clients behind it are published."""
    points, cases = figures.get("score_points"), int(figures.get("scored_cases", 0))
    mean = points / cases if points is not None and cases else None
    return PublishedTherapist(
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
    """Quantiles of the last moments, from the cumulative histogram of one stage."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._seen: deque[tuple[float, dict[float, float]]] = deque()

    def update(self, seen: Samples, now: float) -> Latency | None:
        """The quantiles of the last `LATENCY_SECONDS` before `now`, a monotonic second; None without an event."""
        buckets = {
            float(labels["le"]): value
            for labels, value in seen.get("alliance_event_latency_seconds_bucket", [])
            if labels["stage"] == self._stage
        }
        if not buckets:
            return None
        self._seen.append((now, buckets))
        while now - self._seen[0][0] > LATENCY_SECONDS:
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
