"""Dashboards keep the rules of `lint.py`, and each rule bites.

In: the JSON that is checked in, and copies broken on purpose. Out: the rule that is not kept.
Never: a rule without a copy that it catches.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import pstdev
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from alliance.simulation.practice import PracticeParameters, simulate
from deploy.grafana import lint
from deploy.grafana.dashboards.config import CONFIG
from deploy.grafana.dashboards.write import FOLDER, files
from deploy.local.places import ROOT

Json = dict[str, Any]
DASHBOARDS: dict[str, Json] = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"


REMOVED = object()
#: Where a broken copy is broken: in the dashboard itself, or in its first panel of a kind.
ITSELF = "itself"


@dataclass(frozen=True)
class Breaks:
    """A change to the copy of *Practice*: a value at a path is set, removed, or appended to."""

    where: str
    path: str
    value: object

    def __call__(self, copies: dict[str, Json]) -> None:
        found: Any = copies["practice"]
        if self.where != ITSELF:
            found = next(panel for panel in found["panels"] if panel["type"] == self.where)
        *steps, last = self.path.split("/")
        for step in steps:
            found = found[int(step)] if step.isdigit() else found[step]
        if last == "+":
            found.append(self.value)
        elif self.value is REMOVED:
            found.pop(int(last) if last.isdigit() else last)
        else:
            found[last] = self.value


def asks(expression: str) -> Breaks:
    """The first query of the first panel asks this."""
    return Breaks("stat", "targets/0/expr", expression)


DEFAULTS = "fieldConfig/defaults"
COLOUR_ONLY = [{"type": "value", "options": {"0": {"color": "red"}}}]
INGREDIENT = "alliance_therapist_ingredient_"
ACTIVE = "alliance_therapist_active_cases"

BROKEN: list[tuple[Callable[..., Any], Breaks]] = [
    (lint.is_read_only, Breaks(ITSELF, "editable", True)),
    (lint.has_a_stable_uid, Breaks(ITSELF, "uid", "xyz")),
    (lint.has_a_stable_uid, Breaks(ITSELF, "uid", "alliance-flags")),
    (lint.panels_have_unique_ids, Breaks("stat", "id", None)),
    (lint.panels_have_unique_ids, Breaks("stat", "id", 7)),
    (lint.panels_do_not_overlap, Breaks("stat", "gridPos/w", 6)),
    (lint.panels_do_not_overlap, Breaks("table", "gridPos/w", 25)),
    (lint.panels_explain_themselves, Breaks("stat", "title", "")),
    (lint.panels_explain_themselves, Breaks("stat", "description", "The mean.")),
    (lint.panels_have_units_and_queries, Breaks("stat", f"{DEFAULTS}/unit", REMOVED)),
    (lint.panels_have_units_and_queries, Breaks("stat", "targets", [])),
    (lint.the_data_source_is_a_variable, Breaks(ITSELF, "templating/list/0", REMOVED)),
    (lint.the_data_source_is_a_variable, Breaks("stat", "datasource/uid", "prometheus")),
    (lint.the_data_source_is_a_variable, Breaks("stat", "targets/0/datasource/uid", "prometheus")),
    (lint.variables_follow_the_time, Breaks(ITSELF, "templating/list/1/refresh", 1)),
    (lint.variables_follow_the_time, Breaks(ITSELF, "templating/list/1/allValue", REMOVED)),
    (lint.variables_follow_the_time, Breaks(ITSELF, "templating/list/1/query/query", "metrics(x)")),
    (lint.windows_are_wide_enough, asks("rate(alliance_events_total[5m])")),
    (lint.windows_are_wide_enough, asks("increase(alliance_events_total[3d])")),
    (lint.counters_are_not_read_bare, asks('sum(alliance_events_total{type="x"})')),
    (lint.counters_are_not_read_bare, asks("max_over_time(alliance_events_total[$__range])")),
    (lint.counters_are_not_read_bare, asks("sum(alliance_event_latency_seconds_bucket)")),
    (lint.therapists_are_counted_once, asks(f"sum({ACTIVE})")),
    (lint.thresholds_begin_at_nothing, Breaks("stat", f"{DEFAULTS}/thresholds/steps/0/value", 0)),
    (lint.states_are_words, Breaks("stat", f"{DEFAULTS}/thresholds/steps/+", {"color": "red", "value": 1})),
    (lint.states_are_words, Breaks("stat", f"{DEFAULTS}/mappings", COLOUR_ONLY)),
    (lint.metrics_exist, asks("max by (team, therapist) (alliance_therapist_scores)")),
    (lint.labels_are_allowed, asks(f'max by (team, therapist) ({ACTIVE}{{case_id="c"}})')),
    (lint.labels_are_allowed, asks(f"max by (team, case_id) ({ACTIVE})")),
    (lint.labels_are_allowed, Breaks("stat", "targets/0/legendFormat", "{{client}}")),
    (lint.labels_are_allowed, Breaks("table", "transformations/1/options/renameByName/instance", "Where")),
    (lint.means_have_their_n, Breaks("timeseries", "targets/1", REMOVED)),
    (
        lint.means_have_their_n,
        Breaks("timeseries", "targets/0/expr", f"sum({INGREDIENT}points) / sum({INGREDIENT}cases)"),
    ),
    (lint.means_are_divided_by_their_own_n, asks(f"sum({INGREDIENT}points) / sum(alliance_therapist_scored_cases)")),
    (lint.means_are_divided_by_their_own_n, asks("sum(alliance_therapist_score_points)")),
    (lint.alliance_is_drawn_from_0_to_1, Breaks("timeseries", f"{DEFAULTS}/min", 0.5)),
    (lint.legends_and_tooltips_are_set, Breaks("timeseries", "options/legend/showLegend", False)),
    (lint.legends_and_tooltips_are_set, Breaks("timeseries", "options/tooltip", REMOVED)),
    (lint.links_lead_somewhere, Breaks(ITSELF, "links/0", REMOVED)),
    (lint.links_lead_somewhere, Breaks(ITSELF, "links/+", {"url": "/d/alliance-clients"})),
]


def test_what_is_checked_in_is_what_the_code_makes_byte_for_byte() -> None:
    assert {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()} == files(), "run `make dashboards`"


def test_the_same_json_comes_out_of_grafanas_own_types() -> None:
    for name, dashboard in DASHBOARDS.items():
        again = json.loads(json.dumps(Dashboard.from_json(copy.deepcopy(dashboard)), cls=JSONEncoder))
        assert again["panels"] == dashboard["panels"], name
        assert again["templating"] == dashboard["templating"], name


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_every_dashboard_keeps_the_rule(rule: Callable[..., Any]) -> None:
    assert not list(rule(DASHBOARDS))


@pytest.mark.parametrize(("rule", "breaks"), BROKEN, ids=lambda one: getattr(one, "__name__", None) or one.path)
def test_the_rule_bites(rule: Callable[..., Any], breaks: Breaks) -> None:
    copies = copy.deepcopy(DASHBOARDS)
    breaks(copies)
    assert list(rule(copies))


def test_no_rule_is_left_without_a_copy_that_it_catches() -> None:
    assert {rule for rule, _ in BROKEN} == set(lint.RULES)


def test_every_query_parses(tmp_path: Path) -> None:
    assert not list(lint.queries_parse(DASHBOARDS, tmp_path))


def test_a_query_that_does_not_parse_is_named(tmp_path: Path) -> None:
    copies = copy.deepcopy(DASHBOARDS)
    asks("sum(alliance_build_info")(copies)
    (complaint,) = lint.queries_parse(copies, tmp_path)
    assert complaint.startswith("practice / Alliance now / A: ")


def test_the_spread_of_a_case_is_that_of_the_simulated_practice() -> None:
    parameters = PracticeParameters(first_day=datetime(2026, 1, 5, tzinfo=UTC), seed=7, weeks=13)
    latest = {
        event["subject"]: sum(event["data"]["answers"].values()) / 40
        for event in simulate(parameters).events
        if event["type"] == "alliance.checkin.submitted.v1"
    }
    assert pytest.approx(pstdev(latest.values()), rel=0.05) == CONFIG.case_sd


def test_grafana_reads_the_dashboards_from_files_and_does_not_let_users_change_them() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "alliance.yml").read_text())["providers"]
    assert provider["allowUiUpdates"] is False and provider["disableDeletion"] is True
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    mounted = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounted["./deploy/grafana/dashboards/json"] == provider["options"]["path"]


def test_the_data_source_of_the_dashboards_is_the_provisioned_one() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert (source["uid"], source["type"]) == (CONFIG.datasource_uid, CONFIG.datasource_type)
