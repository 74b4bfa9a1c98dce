"""Every dashboard can be drawn from its JSON and real results, and what cannot be drawn says so.

In: the JSON that is checked in, a real Prometheus, a real Chromium. Out: pages and a picture.
Never: a comparison of pixels.
"""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.dashboards.write import FOLDER
from deploy.grafana.drawing.fields import NotUnderstood, formatted
from deploy.grafana.drawing.page import Page, page_of
from deploy.grafana.drawing.photo import photograph, size_of
from deploy.grafana.panel_queries import Look, everything
from deploy.local.places import ROOT
from deploy.testbed.history import BEGINNER, NOW
from deploy.testbed.prometheus import Prometheus

Json = dict[str, Any]
DASHBOARDS: dict[str, Json] = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
DOCS = ROOT / "docs"
MOST_BYTES = 256 * 1024
each_dashboard = pytest.mark.parametrize("name", DASHBOARDS)


def drawn(dashboard: Json, observed: Prometheus) -> Page:
    return page_of(Look(dashboard, NOW, everything(dashboard)), observed)


@each_dashboard
def test_every_panel_is_drawn_with_figures_and_without_the_network(name: str, observed: Prometheus) -> None:
    page = drawn(DASHBOARDS[name], observed)
    sections = page.html.split("<section")[1:]
    assert len(sections) == len(DASHBOARDS[name]["panels"])
    for panel, section in zip(DASHBOARDS[name]["panels"], sections, strict=True):
        assert panel["title"] in section
        assert panel["type"] == "text" or re.search(r"<polyline|<circle|<rect|<td|<b ", section), panel["title"]
        assert "nothing to show" not in section, panel["title"]
    assert "Preview drawn without Grafana" in page.html
    assert not re.search(r"https?://|<script|<link|<img|nan|inf\b", page.html)


def test_a_therapist_whose_scores_are_held_back_is_in_no_drawing_of_scores(observed: Prometheus) -> None:
    assert BEGINNER not in drawn(DASHBOARDS["therapists"], observed).html
    assert BEGINNER in drawn(DASHBOARDS["quality"], observed).html


def test_rows_of_therapists_stand_in_the_order_of_their_pseudonyms(observed: Prometheus) -> None:
    shown = re.findall(r'class="key link">(t-\d+)<', drawn(DASHBOARDS["therapists"], observed).html)
    assert len(shown) > 10 and shown == sorted(shown)


@pytest.mark.parametrize(
    "breaks",
    [
        lambda panel: panel.update(type="piechart"),
        lambda panel: panel["fieldConfig"]["defaults"].update(unit="furlong"),
        lambda panel: panel["fieldConfig"]["overrides"].append({"matcher": {"id": "byRegexp"}, "properties": []}),
        lambda panel: panel["fieldConfig"]["overrides"][0]["properties"].append({"id": "custom.glow", "value": 1}),
    ],
    ids=["panel type", "unit", "override", "property"],
)
def test_what_cannot_be_drawn_fails_loudly(breaks: Callable[[Json], None], observed: Prometheus) -> None:
    dashboard = copy.deepcopy(DASHBOARDS["practice"])
    dashboard["panels"] = [one for one in dashboard["panels"] if one["type"] == "table"]
    breaks(dashboard["panels"][0])
    # The columns take the panel's own unit, so that a wrong one comes to light.
    for override in dashboard["panels"][0]["fieldConfig"]["overrides"]:
        override["properties"] = [one for one in override.get("properties", ()) if one["id"] != "unit"]
    with pytest.raises(NotUnderstood):
        drawn(dashboard, observed)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.934, "none", "0.93"),
        (12.0, "short", "12"),
        (0.694, "percentunit", "69 %"),
        (0.25, "s", "250 ms"),
        (90.0, "s", "1.5 min"),
        (86400.0, "s", "1.0 day"),
        (260000.0, "s", "3.0 days"),
        (float("nan"), "none", "–"),
    ],
)
def test_units_are_written_as_people_read_them(value: float, unit: str, text: str) -> None:
    assert formatted(value, unit) == text


def test_chromium_photographs_a_whole_page(observed: Prometheus, tmp_path: Path) -> None:
    page = drawn(DASHBOARDS["practice"], observed)
    picture = tmp_path / "practice.png"
    photograph(page, picture, tmp_path)
    assert size_of(picture) == (page.width, page.height)
    assert picture.stat().st_size > 50_000, "a page without ink is smaller"


def test_the_page_about_dashboards_shows_a_picture_of_each_and_says_what_it_is() -> None:
    text = (DOCS / "directors.md").read_text("utf-8")
    pictures = {path.name: path for path in (DOCS / "images").glob("dashboard-*.png")}
    assert pictures.keys() == {f"dashboard-{name}.png" for name in DASHBOARDS}
    for name, dashboard in DASHBOARDS.items():
        assert f"(images/dashboard-{name}.png)" in text
        assert dashboard["title"].removeprefix("Alliance / ") in text
        assert pictures[f"dashboard-{name}.png"].stat().st_size < MOST_BYTES
    assert "previews drawn without Grafana" in text
