"""Prometheus' rules: valid; each alert just below, just above, resolved, without data; records that stay right."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.parts import program
from deploy.local.places import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
FILES = [FOLDER / "rules" / name for name in ("records.yml", "alerts.yml")]
RULES: dict[str, Any] = {file.name: yaml.safe_load(file.read_text(encoding="utf-8"))["groups"] for file in FILES}
GROUPS = [group["name"] for file in FILES for group in RULES[file.name]]
ALERTS = [rule for group in RULES["alerts.yml"] for rule in group["rules"]]
RECORDS = {rule["record"]: rule["expr"] for group in RULES["records.yml"] for rule in group["rules"]}
RUNBOOKS = ROOT / "docs" / "runbooks"

Labels = dict[str, str]
HOUR, DAY = 60, 1440  # minutes


@dataclass(frozen=True)
class Moment:
    """Series up to a minute, and who receives an alert then."""

    series: dict[str, str]
    at: float
    firing: list[Labels] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """An alert at its threshold."""

    below: Moment
    above: Moment
    resolved: Moment
    #: Who receives an alert when there are no series at all.
    missing: list[Labels] = field(default_factory=list)
    evaluation: str = "1m"
    #: So often are series sampled: more often than the look-back of five minutes, four times in the range of a rate.
    sampled: str = "4m"


def age(metric: str, labels: str, threshold: int, severity: str, audience: str, wait: int, shown: Labels) -> Case:
    """A timestamp at minute 1; `threshold` and `wait` in minutes."""
    series = f"{metric}{{{labels}}}"
    told = {**shown, "severity": severity, "audience": audience}
    long = threshold + wait + 40
    still = f"60x{(long + 60) // 4}"
    return Case(
        below=Moment({series: still}, threshold - 9),
        above=Moment({series: still}, threshold + wait + 20, [told]),
        resolved=Moment(
            {series: f"60x{(threshold + wait + 20) // 4} {'0' if 'oldest' in metric else str(long * 60)}x30"}, long + 10
        ),
        evaluation="5m",
    )


OLDEST = "alliance_therapist_oldest_unacknowledged_flag_timestamp_seconds"
T1 = {"team": "north", "therapist": "t-1"}


def constant(series: dict[str, float]) -> dict[str, str]:
    """Gauges that stay."""
    return {name: f"{value}x50" for name, value in series.items()}


def rising(series: dict[str, str]) -> dict[str, str]:
    """Counters: `start+step`."""
    return {name: f"{value}x200" for name, value in series.items()}


def turns(before: str, after: str) -> str:
    """A gauge that changes after 100 minutes (25 samples of 4 minutes)."""
    return f"{before}x24 {after}x25"


PLATFORM = {"audience": "platform"}
CRITICAL, WARNING = {**PLATFORM, "severity": "critical"}, {**PLATFORM, "severity": "warning"}
UP = {job: f'up{{job="{job}",instance="1"}}' for job in ("worker", "store", "gateway", "notifier")}
COMPLETED, HELD = (
    f'alliance_therapist_{name}{{team="north",therapist="t-1"}}' for name in ("checkins_completed", "sessions_held")
)
LATENCY = 'alliance_event_latency_seconds_bucket{stage="store",instance="1",le="%s"}'
REJECTED, EVENTS = 'alliance_rejected_total{reason="x"}', 'alliance_events_total{type="x"}'
FAILED, SENT = (f'alertmanager_notifications{name}_total{{integration="webhook"}}' for name in ("_failed", ""))
RULE_FAILURES = 'prometheus_rule_evaluation_failures_total{rule_group="x"}'
LIMIT_HITS = "prometheus_target_scrapes_exceeded_sample_limit_total{}"
UNDELIVERED = 'alliance_notifier_undelivered_since_timestamp_seconds{alertmanager="1",instance="1"}'
WAITING = 'alliance_process_waiting_seconds{job="store",part="database"}'
WAITING_PAUSED = 'alliance_process_waiting_seconds{job="worker",part="partition-3"}'
PAUSED, PAUSED_TOO = (f'alliance_paused_partitions{{job="worker",instance="{one}"}}' for one in (1, 2))
STALLED, STALLED_TOO = (f'alliance_partition_stalled_seconds{{job="worker",instance="{one}"}}' for one in (1, 2))
COLLAPSED = {"team": "north", "severity": "warning", "audience": "quality"}

CASES: dict[str, Case] = {
    "AllianceFlagUnacknowledged warning": age(
        OLDEST, 'team="north",therapist="t-1"', DAY, "warning", "supervision", 5, T1
    ),
    "AllianceFlagUnacknowledged critical": age(
        OLDEST, 'team="north",therapist="t-1"', 3 * DAY, "critical", "supervision", 5, T1
    ),
    "AllianceDataStale": age(
        "alliance_last_event_timestamp_seconds", 'team="north"', 4 * DAY, "warning", "platform", 15, {"team": "north"}
    ),
    "AllianceCheckinsCollapsed": Case(
        below=Moment(constant({COMPLETED: 50, HELD: 100}), 90),
        above=Moment(constant({COMPLETED: 49, HELD: 100}), 90, [COLLAPSED]),
        resolved=Moment({COMPLETED: turns("49", "50"), HELD: "100x50"}, 120),
    ),
    "AllianceMetricsAbsent": Case(
        below=Moment({'up{job="exporter",instance="1"}': "0x50", 'up{job="exporter",instance="2"}': "1x50"}, 60),
        above=Moment({'up{job="exporter",instance="1"}': "0x50"}, 60, [CRITICAL]),
        resolved=Moment({'up{job="exporter",instance="1"}': turns("0", "1")}, 120),
        missing=[CRITICAL],
    ),
    "AllianceProcessGone": Case(
        below=Moment({**constant(dict.fromkeys(UP.values(), 1)), 'up{job="store",instance="2"}': "0x50"}, 60),
        above=Moment(
            {**constant(dict.fromkeys(UP.values(), 1)), UP["store"]: "0x50"}, 60, [{**CRITICAL, "job": "store"}]
        ),
        resolved=Moment({**constant(dict.fromkeys(UP.values(), 1)), UP["store"]: turns("0", "1")}, 120),
        missing=[{**CRITICAL, "job": job} for job in UP],
    ),
    "AllianceProcessWaiting": Case(
        below=Moment(constant({WAITING: 300, WAITING_PAUSED: 9000}), 60),
        above=Moment(constant({WAITING: 301}), 60, [{**CRITICAL, "job": "store", "part": "database"}]),
        resolved=Moment({WAITING: "301x24 stale"}, 120),
    ),
    "AlliancePartitionPaused": Case(
        below=Moment(constant({PAUSED: 0, PAUSED_TOO: 0}), 60),
        above=Moment(constant({PAUSED: 0, PAUSED_TOO: 1}), 60, [CRITICAL]),
        resolved=Moment({PAUSED: turns("1", "0"), PAUSED_TOO: "0x50"}, 120),
    ),
    "AlliancePartitionStalled": Case(
        below=Moment(constant({STALLED: 0, STALLED_TOO: 120}), 60),
        above=Moment(constant({STALLED: 0, STALLED_TOO: 121}), 60, [CRITICAL]),
        resolved=Moment({STALLED: turns("121", "0"), STALLED_TOO: "0x50"}, 120),
    ),
    "AllianceEventsLate": Case(
        below=Moment(rising({LATENCY % "60.0": "0+100", LATENCY % "300.0": "0+100", LATENCY % "+Inf": "0+100"}), 60),
        above=Moment(
            rising({LATENCY % "60.0": "0+98", LATENCY % "300.0": "0+100", LATENCY % "+Inf": "0+100"}),
            60,
            [{**WARNING, "stage": "store"}],
        ),
        resolved=Moment(
            {LATENCY % "60.0": "0+98x24 2450+100x40", LATENCY % "300.0": "0+100x66", LATENCY % "+Inf": "0+100x66"}, 60
        ),
        sampled="1m",
    ),
    "AllianceFlagsUndelivered": Case(
        below=Moment({UNDELIVERED: "0x14 3480x30"}, 60),  # since minute 58
        above=Moment({UNDELIVERED: "0x14 3480x30"}, 63, [{**CRITICAL, "alertmanager": "1"}]),
        resolved=Moment({UNDELIVERED: "0x14 3480x5 0x30"}, 90),
    ),
    "AllianceRejectedHigh": Case(
        below=Moment(rising({REJECTED: "0+5", EVENTS: "0+100"}), 120),
        above=Moment(rising({REJECTED: "0+6", EVENTS: "0+100"}), 120, [WARNING]),
        resolved=Moment({REJECTED: "0+6x30 186x60", EVENTS: "0+100x100"}, 300),
    ),
    "AllianceWatchdog": Case(
        below=Moment({}, 0, [{**PLATFORM, "severity": "none"}]),
        above=Moment({}, 60, [{**PLATFORM, "severity": "none"}]),
        resolved=Moment({}, 120, [{**PLATFORM, "severity": "none"}]),
        missing=[{**PLATFORM, "severity": "none"}],
    ),
    "AllianceRulesFailing": Case(
        below=Moment(rising({RULE_FAILURES: "7+0"}), 60),
        above=Moment(rising({RULE_FAILURES: "7+1"}), 60, [WARNING]),
        resolved=Moment({RULE_FAILURES: "0+1x10 10x60"}, 120),
    ),
    "AlliancePrometheusAlone": Case(
        below=Moment(constant({"prometheus_notifications_alertmanagers_discovered": 1}), 60),
        above=Moment(constant({"prometheus_notifications_alertmanagers_discovered": 0}), 60, [CRITICAL]),
        resolved=Moment({"prometheus_notifications_alertmanagers_discovered": turns("0", "1")}, 120),
    ),
    "AllianceNotificationsFailing": Case(
        below=Moment(rising({FAILED: "0+5", SENT: "0+100"}), 60),
        above=Moment(rising({FAILED: "0+6", SENT: "0+100"}), 60, [{**CRITICAL, "integration": "webhook"}]),
        resolved=Moment({FAILED: "0+6x20 120x60", SENT: "0+100x100"}, 60),
        sampled="1m",
    ),
    "AllianceScrapeLimitHit": Case(
        below=Moment(rising({LIMIT_HITS: "7+0"}), 60),
        above=Moment(rising({LIMIT_HITS: "7+1"}), 60, [WARNING]),
        resolved=Moment({LIMIT_HITS: "0+1x10 10x60"}, 120),
    ),
}


def promtool(*arguments: str | Path) -> None:
    """A command of promtool that must find nothing wrong."""
    answer = subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def run_tests(folder: Path, tests: list[dict[str, Any]], evaluation: str = "1m") -> None:
    """`promtool test rules`; the order of groups is always given, else a record may be read before it is written."""
    file = folder / "tests.yml"
    settings = {
        "rule_files": [str(one) for one in FILES],
        "evaluation_interval": evaluation,
        "group_eval_order": GROUPS,
        "tests": tests,
    }
    file.write_text(yaml.safe_dump(settings))
    promtool("test", "rules", file)


def question(expression: str, at: float, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """What is asked of promtool, and the answer there must be."""
    return {"expr": expression, "eval_time": f"{at:g}m", "exp_samples": samples}


def asked(name: str, moment: Moment, *, has_fired: bool) -> dict[str, Any]:
    """Who receives an alert at a moment; `has_fired`: that the alert was there before."""
    alert, _, severity = name.partition(" ")
    choice = f',severity="{severity}"' if severity else ""
    firing = f'ALERTS{{alertname="{alert}",alertstate="firing"{choice}}}'
    told = [
        {"labels": sample("ALERTS", alertname=alert, alertstate="firing", **one), "value": 1} for one in moment.firing
    ]
    questions = [question(firing, moment.at, told)]
    if has_fired:
        questions.append(question(f"group(count_over_time({firing}[7d]))", moment.at, [{"labels": "{}", "value": 1}]))
    return {
        "interval": CASES[name].sampled,
        "input_series": [{"series": series, "values": values} for series, values in moment.series.items()],
        "promql_expr_test": questions,
    }


def sample(name: str, **labels: str) -> str:
    """A series as promtool writes it."""
    return (
        f"{name}{{{', '.join(f'{key}={value!r}'.replace(chr(39), chr(34)) for key, value in sorted(labels.items()))}}}"
    )


@pytest.mark.parametrize("moment", ["below", "above", "resolved", "missing"])
@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_above_its_threshold_and_at_no_other_time(name: str, moment: str, tmp_path: Path) -> None:
    case = CASES[name]
    seen = Moment({}, 60, case.missing) if moment == "missing" else getattr(case, moment)
    run_tests(tmp_path, [asked(name, seen, has_fired=moment == "resolved")], case.evaluation)


def test_every_alert_has_its_case() -> None:
    assert {name.partition(" ")[0] for name in CASES} == {rule["alert"] for rule in ALERTS}


def test_promtool_finds_nothing_wrong() -> None:
    promtool("check", "config", FOLDER / "prometheus.yml")
    promtool("check", "rules", "--lint=all", *FILES)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_says_for_whom_how_bad_and_what_to_do(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"Alliance[A-Z]\w+", rule["alert"])
    assert rule["labels"].keys() == {"severity", "audience"}
    assert rule["labels"]["severity"] in ("critical", "warning", "none")
    assert rule["labels"]["audience"] in ("supervision", "quality", "platform")
    assert "{{" not in rule["annotations"]["summary"], "a summary is one fixed sentence"
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"


@pytest.mark.parametrize("alert", sorted({rule["alert"] for rule in ALERTS} | {"AllianceFlag"}))
def test_every_alert_has_a_runbook_that_says_what_it_means_and_what_to_do(alert: str) -> None:
    page = (RUNBOOKS / f"{alert}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {alert}\n")
    for heading in ("## What it means", "## What to do"):
        assert heading in page


def test_there_is_no_runbook_without_its_alert() -> None:
    known = {rule["alert"] for rule in ALERTS} | {"AllianceFlag", "index"}
    assert {page.stem for page in RUNBOOKS.glob("*.md")} <= known


def resolved_expression(expression: str) -> str:
    """An expression with the records in it written out."""
    for record, meaning in RECORDS.items():
        if record in expression:
            return resolved_expression(expression.replace(record, f"({meaning})"))
    return expression


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_no_alert_looks_at_a_score(rule: dict[str, Any]) -> None:
    assert not re.search("score|ingredient", resolved_expression(rule["expr"]))


def test_a_record_is_written_before_it_is_read() -> None:
    written: set[str] = set()
    for group in RULES["records.yml"]:
        for rule in group["rules"]:
            assert {name for name in RECORDS if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", rule["expr"])} <= written
            written.add(rule["record"])


def test_every_therapist_gauge_passes_through_max_before_a_sum() -> None:
    for record, expression in RECORDS.items():
        for metric in re.findall(r"(?<!:)\balliance_therapist_\w+(?!\S*:)", expression):
            assert re.match(r"max by \(team, therapist", expression), (record, metric)


def gauges(instance: str, team: str, therapist: str, points: str, cases: str) -> dict[str, str]:
    labels = f'{{team="{team}",therapist="{therapist}",instance="{instance}"}}'
    return {f"alliance_therapist_score_points{labels}": points, f"alliance_therapist_scored_cases{labels}": cases}


def practice(series: dict[str, str], at: str, mean: float | None, cases: int | None) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": expression,
                "eval_time": at,
                "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
            }
            for expression, value in (
                ("round(practice:alliance_score:mean, 0.000001) * 1", mean),
                ("practice:alliance_therapist_scored_cases:sum * 1", cases),
            )
        ],
    }


BOTH = {
    **gauges("a", "north", "t-1", "8x20", "10x20"),
    **gauges("a", "north", "t-2", "16x20", "20x20"),
    **gauges("b", "north", "t-1", "8x20", "10x20"),
    **gauges("b", "north", "t-2", "16x20", "20x20"),
}
KILLED = {name: "8x5 stale" if "a" in name and "t-1" in name else values for name, values in BOTH.items()}
MOVING = {
    **gauges("a", "north", "t-1", "8x9 stale", "10x9 stale"),
    **gauges("a", "south", "t-1", "_x9 8x20", "_x9 10x20"),
    **gauges("b", "north", "t-1", "8x11 stale", "10x11 stale"),
    **gauges("b", "south", "t-1", "_x11 8x20", "_x11 10x20"),
    **gauges("a", "north", "t-2", "16x30", "20x30"),
}


@pytest.mark.parametrize(
    ("series", "at", "mean", "cases"),
    [
        (BOTH, "10m", 0.8, 30),
        (MOVING, "8m", 0.8, 30),
        (MOVING, "10m", 0.8, 30),
        (MOVING, "15m", 0.8, 30),
        (gauges("a", "north", "t-1", "8x20", "10x20"), "10m", 0.8, 10),
        (gauges("a", "north", "t-1", "0x20", "0x20"), "10m", None, 0),
        ({}, "10m", None, None),
    ],
    ids=[
        "two exporters",
        "before a move",
        "one exporter sees it",
        "after a move",
        "one therapist",
        "no case",
        "nobody",
    ],
)
def test_the_practices_figures_are_right(
    series: dict[str, str], at: str, mean: float | None, cases: int | None, tmp_path: Path
) -> None:
    run_tests(tmp_path, [practice(series, at, mean, cases)])


def test_the_mean_of_a_practice_is_not_the_mean_of_means(tmp_path: Path) -> None:
    series = {**gauges("a", "north", "t-1", "9x20", "10x20"), **gauges("a", "south", "t-2", "15x20", "20x20")}
    run_tests(tmp_path, [practice(series, "10m", 0.8, 30)])


def ingredient(instance: str, team: str, therapist: str, name: str, points: float, cases: int) -> dict[str, str]:
    labels = f'{{team="{team}",therapist="{therapist}",instance="{instance}",ingredient="{name}"}}'
    return {
        f"alliance_therapist_ingredient_points{labels}": f"{points}x20",
        f"alliance_therapist_ingredient_scored_cases{labels}": f"{cases}x20",
    }


def test_an_ingredient_is_the_mean_of_the_cases_that_answered_it(tmp_path: Path) -> None:
    """10 of 30 scored cases left `goals` out, t-3's too few answered it to show it, and two exporters say so."""
    series: dict[str, str] = {}
    for instance in ("a", "b"):
        series |= gauges(instance, "north", "t-1", "8x20", "10x20")
        series |= gauges(instance, "north", "t-2", "16x20", "20x20")
        series |= gauges(instance, "south", "t-3", "4x20", "8x20")
        series |= ingredient(instance, "north", "t-1", "trust", 8, 10) | ingredient(
            instance, "north", "t-1", "goals", 4, 5
        )
        series |= ingredient(instance, "north", "t-2", "trust", 16, 20)
        series |= ingredient(instance, "north", "t-2", "goals", 9, 15)
        series |= ingredient(instance, "south", "t-3", "trust", 4, 8)
    expected: dict[str, dict[str, float]] = {
        "team_ingredient:alliance_score:mean": {
            '{team="north", ingredient="trust"}': 0.8,
            '{team="north", ingredient="goals"}': 0.65,
            '{team="south", ingredient="trust"}': 0.5,
        },
        "practice_ingredient:alliance_score:mean": {'{ingredient="trust"}': 0.736842, '{ingredient="goals"}': 0.65},
        "practice_ingredient:alliance_therapist_ingredient_scored_cases:sum": {
            '{ingredient="trust"}': 38,
            '{ingredient="goals"}': 20,
        },
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            question(
                f"round({record}, 0.000001) * 1",
                10,
                [{"labels": labels, "value": value} for labels, value in values.items()],
            )
            for record, values in expected.items()
        ],
    }
    run_tests(tmp_path, [test])


def test_an_ingredient_that_nobody_counted_has_no_mean(tmp_path: Path) -> None:
    """As of an exporter from before ingredients were counted: better nothing than a wrong number."""
    labels = '{team="north",therapist="t-1",instance="a",ingredient="goals"}'
    series = {**gauges("a", "north", "t-1", "8x20", "10x20"), f"alliance_therapist_ingredient_points{labels}": "3x20"}
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            question(f"{level}_ingredient:alliance_score:mean", 10, []) for level in ("team", "practice")
        ],
    }
    run_tests(tmp_path, [test])


def test_a_flag_is_counted_once_however_many_exporters_saw_it(tmp_path: Path) -> None:
    labels = 'team="north",kind="drop",severity="urgent"'
    series = {
        f'alliance_flags_opened_total{{{labels},instance="a"}}': "0x20 10x40",
        f'alliance_flags_opened_total{{{labels},instance="b"}}': "0x20 10x40",
    }
    test = {
        "interval": "4m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": "round(team_kind_severity:alliance_flags_opened:increase1d)",
                "eval_time": "200m",
                "exp_samples": [{"labels": f"{{{labels}}}", "value": 10}],
            }
        ],
    }
    run_tests(tmp_path, [test])
