"""The practice's figures in a real Prometheus, with the shipped rules, over real exporters that come, go and lag."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.notifier import alertmanager as api
from deploy.local.places import ROOT
from deploy.local.prometheus import Prometheus
from deploy.testbed.alertmanager import Alertmanager, configuration
from deploy.testbed.kafka import Kafka, Record, produce
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from deploy.testbed.webhook import Webhook
from schemas.codec import encode
from schemas.summaries import Day, Publication, TherapistSummary
from schemas.topics import THERAPISTS

pytestmark = pytest.mark.kafka

SHIPPED = ROOT / "deploy" / "prometheus"
CASES = "practice:alliance_therapist_active_cases:sum"
MEAN = "round(practice:alliance_score:mean, 0.000001)"


def a_therapist(number: int, version: int = 1, team: str = "north", cases: int = 10) -> Record:
    """A therapist with this many cases, all scored, mean 0.8."""
    now = datetime.now(UTC)
    summary = TherapistSummary(
        therapist_id=f"t-{number}",
        team=team,
        version=version,
        last_event_at=now - timedelta(minutes=5),
        active_cases=cases,
        scored_cases=cases,
        score_points=0.8 * cases,
        ingredient_points={},
        open_flag_cases={"warning": 1},
        oldest_unacknowledged_at=None,
        days={now.date(): Day(2, 1, 1, 0)},
        published=Publication(scored_cases=cases, score_points=0.8 * cases, ingredient_points={}),
    )
    return Record(f"t-{number}".encode(), encode(summary))


def settings(targets: list[int], alertmanager: str = "") -> str:
    """The shipped configuration with these exporters, and every interval a second."""
    shipped: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text(encoding="utf-8"))
    (exporter,) = [job for job in shipped["scrape_configs"] if job["job_name"] == "exporter"]
    del exporter["dns_sd_configs"]
    exporter["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in targets]}]
    managers = [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(SHIPPED / one) for one in shipped["rule_files"]],
            "alerting": {"alertmanagers": managers},
            "scrape_configs": [exporter],
        }
    )


@pytest.fixture
def systems(broker_of_my_own: Kafka, processes: Processes, tmp_path: Path) -> tuple[System, System]:
    """Topics and two exporters over them."""
    both = [System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/s.sqlite") for _ in range(2)]
    both[0].create_topics()
    for one in both:
        one.start("exporter").wait_until_healthy("exporter")
    return both[0], both[1]


@pytest.fixture
def prometheus(systems: tuple[System, System]) -> Iterator[Prometheus]:
    with Prometheus(settings([one.ports["exporter"] for one in systems])) as server:
        wait_until(lambda: server.values("sum(up)") == {frozenset(): 2.0}, 60, "both exporters to be scraped")
        yield server


def value(prometheus: Prometheus, expression: str) -> float | None:
    """The one value of an expression; None if there is no value."""
    found = prometheus.values(expression)
    assert len(found) <= 1
    return next(iter(found.values()), None)


def becomes(prometheus: Prometheus, expression: str, wanted: float | None) -> None:
    wait_until(
        lambda: value(prometheus, expression) == wanted,
        60,
        lambda: f"{expression} to be {wanted}; it is {value(prometheus, expression)}",
    )


def extremes(prometheus: Prometheus, expression: str, seconds: int) -> tuple[float | None, float | None]:
    """The lowest and the highest value of a record in the last seconds."""
    low = value(prometheus, f"min_over_time({expression}[{seconds}s])")
    return low, value(prometheus, f"max_over_time({expression}[{seconds}s])")


def evaluations(prometheus: Prometheus, seconds: int) -> float:
    """How often the practice's figure has been written in the last seconds."""
    return value(prometheus, f"count_over_time({CASES}[{seconds}s])") or 0


def test_an_empty_practice_one_therapist_and_two_thousand(
    systems: tuple[System, System], prometheus: Prometheus
) -> None:
    bootstrap = systems[0].bootstrap
    wait_until(lambda: prometheus.firing(), 30, "the rules to be evaluated")
    assert value(prometheus, CASES) is None
    assert value(prometheus, MEAN) is None
    assert [one["alertname"] for one in prometheus.firing()] == ["AllianceWatchdog"]
    produce(bootstrap, THERAPISTS, [a_therapist(1)])
    becomes(prometheus, CASES, 10)
    assert value(prometheus, MEAN) == 0.8
    produce(bootstrap, THERAPISTS, [a_therapist(number, team=f"team-{number % 7}") for number in range(2, 2001)])
    becomes(prometheus, CASES, 20_000)
    becomes(prometheus, MEAN, 0.8)
    becomes(prometheus, "count(team:alliance_score:mean)", 8)
    becomes(prometheus, "practice:alliance_repaired_flags:ratio90d", 1)
    becomes(prometheus, "practice:alliance_checkins_per_session:ratio28d", 0.5)


def test_the_practices_figure_never_leaves_the_truth_while_exporters_die_and_therapists_move(
    systems: tuple[System, System], prometheus: Prometheus
) -> None:
    first, second = systems
    produce(first.bootstrap, THERAPISTS, [a_therapist(number) for number in range(1, 4)])
    becomes(prometheus, CASES, 30)
    wait_until(lambda: extremes(prometheus, CASES, 5) == (30, 30), 60, "five quiet seconds")

    produce(first.bootstrap, THERAPISTS, [a_therapist(1, version=2, team="south")])
    becomes(prometheus, 'team:alliance_therapist_active_cases:sum{team="south"}', 10)
    becomes(prometheus, 'team:alliance_therapist_active_cases:sum{team="north"}', 20)
    assert extremes(prometheus, CASES, 10) == (30, 30)
    assert extremes(prometheus, "practice:alliance_score:mean", 10) == pytest.approx((0.8, 0.8))

    first.kill("exporter")
    becomes(prometheus, "sum(up)", 1)
    wait_until(lambda: extremes(prometheus, CASES, 5) == (30, 30), 60, "five seconds with one exporter")
    first.start("exporter").wait_until_healthy("exporter")
    becomes(prometheus, "sum(up)", 2)
    assert extremes(prometheus, CASES, 30) == (30, 30)

    second.kill("exporter")
    produce(first.bootstrap, THERAPISTS, [a_therapist(2, version=2, cases=0), Record(b"t-3", None)])
    becomes(prometheus, CASES, 10)
    wait_until(lambda: extremes(prometheus, CASES, 5) == (10, 10), 60, "five quiet seconds")

    prometheus.restart()
    becomes(prometheus, "sum(up)", 1)
    wait_until(lambda: evaluations(prometheus, 5) >= 4, 60, "evaluations after the restart")
    assert extremes(prometheus, CASES, 5) == (10, 10)


def test_the_watchdog_gets_all_the_way_out(systems: tuple[System, System]) -> None:
    with Webhook() as webhook, Alertmanager(configuration(webhook)) as manager:
        ports = [one.ports["exporter"] for one in systems]
        with Prometheus(settings(ports, alertmanager=manager.address)):
            wait_until(lambda: webhook.notices, 60, "the watchdog")
        (path,) = {one.path for one in webhook.notices}
        assert path == "/dead-mans-switch"
        assert webhook.notices[0].labels["alertname"] == "AllianceWatchdog"


def test_old_data_and_absent_metrics_quiet_the_alerts_that_rest_on_them_and_no_single_flag() -> None:
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    platform, supervision = {"audience": "platform"}, {"audience": "supervision", "severity": "warning"}
    flag = {"alertname": "AllianceFlag", "kind": "drop", "severity": "urgent", "therapist": "t-1"}
    waiting = {"alertname": "AllianceFlagUnacknowledged", **supervision, "therapist": "t-1"}
    labels: list[dict[str, str]] = [
        {"alertname": "AllianceDataStale", "severity": "warning", "team": "north", **platform},
        {**waiting, "team": "north"},
        {**waiting, "team": "south"},
        {**flag, "team": "north", "flag_id": "f-1"},
        {"alertname": "AllianceCheckinsCollapsed", "audience": "quality", "severity": "warning", "team": "north"},
    ]
    with Webhook() as webhook, Alertmanager(configuration(webhook)) as manager:
        client = api.Alertmanager(manager.address)
        client.post([{"labels": one, "endsAt": ends} for one in labels])
        wait_until(
            lambda: (
                suppressed(manager) == {("AllianceFlagUnacknowledged", "north"), ("AllianceCheckinsCollapsed", "north")}
            ),
            30,
            lambda: str(suppressed(manager)),
        )
        client.post(
            [{"labels": {"alertname": "AllianceMetricsAbsent", "severity": "critical", **platform}, "endsAt": ends}]
        )
        wait_until(lambda: ("AllianceFlagUnacknowledged", "south") in suppressed(manager), 30, "the other team too")
        wait_until(lambda: "f-1" in json.dumps([one.labels for one in webhook.notices]), 30, "the flag")


def suppressed(manager: Alertmanager) -> set[tuple[str, str]]:
    """Name and team of what is inhibited."""
    return {
        (one["labels"]["alertname"], one["labels"].get("team", ""))
        for one in manager.alerts()
        if one["status"]["inhibitedBy"]
    }
