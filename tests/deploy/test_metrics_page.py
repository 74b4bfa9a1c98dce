"""`docs/metrics.md` and what the processes serve are one, and no metric has a label outside the closed list."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from consumers.exporter.metrics import FAMILIES, LAST_EVENT, FlagMeters, TherapistCollector
from consumers.exporter.run import Exporter
from consumers.exporter.state import ExporterState
from consumers.notifier.run import Notifier
from deploy.local.places import ROOT
from pipeline.ingest.gateway.metrics import GatewayMeters
from pipeline.runtime.health import Health, WaitingCollector
from pipeline.runtime.metrics import Meters

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
ROWS: dict[str, tuple[str, str]] = {
    name: (kind, labels.strip())
    for name, kind, labels in re.findall(r"^\| `(alliance_\w+)` \| (\w+) \| ([\w, ]*) ?\|", PAGE, re.MULTILINE)
}
LABELS = {
    *("team", "therapist", "ingredient", "severity", "kind", "stage", "type", "reason", "version"),
    *("part", "alertmanager", "status"),
}


def served() -> Iterator[Metric]:
    """Every family of every process."""
    health, meters = Health("test"), Meters("test")
    Notifier({}, ["127.0.0.1:1"], "", meters, health)
    Exporter(meters, {}, health)
    meters.registry.register(TherapistCollector(ExporterState(), lambda: datetime.now(UTC)))
    meters.registry.register(WaitingCollector(health))
    for registry in (meters.registry, GatewayMeters("test").registry):
        yield from registry.collect()


def page_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def test_every_metric_has_its_row_and_every_row_its_metric() -> None:
    assert {page_name(metric): metric.type for metric in served()} == {name: kind for name, (kind, _) in ROWS.items()}


def test_the_labels_are_those_of_the_page_and_of_the_closed_list() -> None:
    for metric in served():
        told = {one for one in ROWS[page_name(metric)][1].replace(" ", "").split(",") if one}
        assert told <= LABELS
        for sample in metric.samples:
            assert sample.labels.keys() - {"le"} == told, metric.name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_gauge_of_a_therapist_has_no_more_labels_than_the_page_says(family: object) -> None:
    assert isinstance(family, type(FAMILIES[0]))
    wanted = ["team", "therapist", *([family.label] if family.label else [])]
    assert ROWS[family.name] == ("gauge", ", ".join(wanted))


def test_a_team_has_all_its_series_before_anything_happens() -> None:
    registry = CollectorRegistry()
    FlagMeters(registry).add_team("north")
    samples = {metric.name: len(metric.samples) for metric in registry.collect()}
    assert samples["alliance_flags_opened"] >= 21
    assert samples["alliance_flag_acknowledge_seconds"] >= 12
    assert LAST_EVENT[0] in ROWS
