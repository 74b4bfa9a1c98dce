"""Half a year of a simulated practice as Prometheus would have scraped it, for tests and pictures of the dashboards.

In: the simulation, the real agents' work, the real exporter's collector and meters. Out: OpenMetrics text with
timestamps.
Never: a clock, a figure that the exporter would not show.
"""

import hashlib
import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample

from alliance.simulation.practice import PracticeParameters, simulate
from consumers.exporter.metrics import FlagMeters, TherapistCollector
from consumers.exporter.state import ExporterState
from deploy.testbed.builders import Json, an_action
from deploy.testbed.in_memory import InMemoryPipeline, InMemoryRecord
from pipeline.runtime.metrics import Meters
from schemas.codec import decode_flag, decode_therapist
from schemas.flags import LIVE_STATUSES, Flag
from schemas.topics import FLAGS, THERAPISTS

FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)
WEEKS = 26
#: The moment at which everything is looked at: a Thursday afternoon.
NOW = FIRST_DAY + timedelta(weeks=WEEKS - 1, days=3, hours=15, minutes=20)
#: The practice's figures: how many days of them, and the time between two scrapes.
DAYS, EVERY = 120, timedelta(hours=6)
#: How far Prometheus looks back for a sample of the practice: they are six hours apart, not thirty seconds.
LOOKBACK = "6h1m"
#: The processes' own metrics: how many hours of them, and the time between two scrapes.
HOURS, OFTEN = 7, timedelta(seconds=30)
#: This therapist has just begun: three cases, too few for a score to be published.
BEGINNER, BEGINNERS_CASES = "t-16", 3
#: This share of the cases never answers this question, since a scored case does not need every ingredient.
LEFT_OUT, LEFT_OUT_SHARE = "goals", 0.3
#: The supervisor of this team has been away for this long.
AWAY, AWAY_FOR = "north", timedelta(days=14)
EXPORTER = {"job": "exporter", "instance": "exporter:9108"}
#: A second exporter has exposed the same figures for this long: they must not be counted twice.
SECOND_EXPORTER, SECOND_FOR = {"job": "exporter", "instance": "exporter-2:9108"}, timedelta(days=20)
JOBS = {"worker": 9109, "store": 9110, "exporter": 9108, "gateway": 8080}


def practice() -> list[Json]:
    """The events in order of time: 16 therapists in 4 teams, one of them a beginner."""
    events = simulate(PracticeParameters(first_day=FIRST_DAY, seed=7, therapists=16, teams=4, weeks=WEEKS)).events
    beginners = {event["subject"] for event in events if event.get("data", {}).get("therapist_id") == BEGINNER}
    dropped = set(sorted(beginners)[BEGINNERS_CASES:])
    return [_as_answered(event) for event in events if event["subject"] not in dropped]


def _as_answered(event: Json) -> Json:
    """The event without what this client always leaves out."""
    answers = event.get("data", {}).get("answers", {})
    if LEFT_OUT not in answers or digest(f"leaves out {event['subject']}") >= LEFT_OUT_SHARE:
        return event
    kept = {item: answer for item, answer in answers.items() if item != LEFT_OUT}
    return {**event, "data": {**event["data"], "answers": kept}}


@dataclass
class Supervision:
    """Supervisors acknowledge flags sooner or later, depending on the digest of the flag's id; one of them is away."""

    due: list[tuple[str, str, str]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def notice(self, flag: Flag) -> None:
        """Decide once when a flag will be acknowledged."""
        if flag.flag_id in self.seen or flag.status not in LIVE_STATUSES:
            return
        self.seen.add(flag.flag_id)
        due_at = flag.opened_at + wait(digest(flag.flag_id))
        if flag.team == AWAY and due_at > NOW - AWAY_FOR:
            return
        heapq.heappush(self.due, (text_of(due_at), flag.flag_id, flag.case_id))

    def act(self, until: datetime) -> list[Json]:
        """The acknowledgements that are due."""
        actions = []
        while self.due and self.due[0][0] <= text_of(until):
            at, flag_id, case_id = heapq.heappop(self.due)
            actions.append(an_action("acknowledged", flag_id, id=f"ack-{flag_id}", subject=case_id, time=at))
        return actions


def wait(chance: float) -> timedelta:
    """Mostly within a day, sometimes days."""
    return timedelta(hours=0.3 + 15 * chance + (100 * (chance - 0.8) / 0.2 if chance > 0.8 else 0))


def digest(text: str) -> float:
    """A number from 0 to 1 that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") / 2**32


def text_of(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second, so that text sorts like time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Exporter:
    """The exporter's state, collector and meters, filled from lists instead of Kafka."""

    def __init__(self) -> None:
        self.now = FIRST_DAY
        self.registry = CollectorRegistry()
        self.state = ExporterState()
        self.meters = FlagMeters(self.registry)
        self.registry.register(TherapistCollector(self.state, lambda: self.now))
        self._read = {THERAPISTS: 0, FLAGS: 0}

    def follow(self, pipeline: InMemoryPipeline) -> list[Flag]:
        """Read the records that are new; return the flags among them."""
        for record in self._new(pipeline, THERAPISTS):
            assert record.key is not None
            assert record.value is not None
            self.state.update_therapist(record.key.decode(), decode_therapist(record.value))
        flags = []
        for record in self._new(pipeline, FLAGS):
            assert record.key is not None
            assert record.value is not None
            flag = decode_flag(record.value)
            self.meters.count(self.state.update_flag(record.key.decode(), flag), flag.team)
            flags.append(flag)
        return flags

    def samples(self) -> Iterator[Sample]:
        """The samples of a scrape at this moment."""
        for family in self.registry.collect():
            yield from family.samples

    def _new(self, pipeline: InMemoryPipeline, topic: str) -> list[InMemoryRecord]:
        records = pipeline.log.topics[topic][self._read[topic] :]
        self._read[topic] += len(records)
        return records


def write_history(path: Path) -> None:
    """All samples as OpenMetrics text."""
    with path.open("w", encoding="utf-8") as file:
        _write_practice(file)
        _write_processes(file)
        file.write("# EOF\n")


def _write_practice(file: TextIO) -> None:
    pipeline, exporter, supervision = InMemoryPipeline(), Exporter(), Supervision()
    events = practice()
    position = 0
    moment = FIRST_DAY
    while moment < NOW:
        moment = min(moment + EVERY, NOW)
        end = position
        while end < len(events) and events[end]["time"] <= text_of(moment):
            end += 1
        pipeline.feed([*events[position:end], *supervision.act(moment)], batch=500)
        position = end
        exporter.now = moment
        for flag in exporter.follow(pipeline):
            supervision.notice(flag)
        if moment >= NOW - timedelta(days=DAYS):
            for sample in exporter.samples():
                _write(file, sample.name, {**sample.labels, **EXPORTER}, sample.value, moment)
                if moment >= NOW - SECOND_FOR:
                    _write(file, sample.name, {**sample.labels, **SECOND_EXPORTER}, sample.value, moment)


def _write_processes(file: TextIO) -> None:
    """The metrics of the processes and of Prometheus itself: made up here, with the real meters."""
    meters = {job: Meters("0.1.0") for job in JOBS}
    moment, step = NOW - timedelta(hours=HOURS), 0
    while moment <= NOW:
        for stage, meter in (("cases", "worker"), ("therapists", "worker"), ("store", "store")):
            for number in range(40):
                seconds = 0.02 + 0.3 * digest(f"{stage}-{number}-{step // 60}") ** 4
                meters[meter].latency.labels(stage).observe(seconds)
        for job, behind in (("gateway", 0), ("worker", 4), ("store", 9)):
            meters[job].events.labels("alliance.checkin.submitted.v1").inc(busy(step - behind) * 2)
            meters[job].events.labels("alliance.session.held.v1").inc(busy(step - behind) * 3)
        if step % 240 == 40:
            meters["worker"].rejected.labels("not-json").inc()
        for job, port in JOBS.items():
            labels = {"job": job, "instance": f"{job}:{port}"}
            _write(file, "up", labels, 1, moment)
            _write(file, "scrape_duration_seconds", labels, 0.004 + 0.01 * digest(f"{job}-{step // 240}"), moment)
            for family in meters[job].registry.collect():
                for sample in family.samples:
                    if not sample.name.endswith("_created"):
                        _write(file, sample.name, {**sample.labels, **labels}, sample.value, moment)
        moment += OFTEN
        step += 1


def busy(step: int) -> float:
    """Events a second, in units: more at the end of each hour, when sessions end."""
    return 0.3 + math.exp(-((step % 120 - 20) ** 2) / 400)


def _write(file: TextIO, name: str, labels: dict[str, str], value: float, moment: datetime) -> None:
    inside = ",".join(f'{label}="{text}"' for label, text in labels.items())
    file.write(f"{name}{{{inside}}} {value!r} {moment.timestamp():.3f}\n")
