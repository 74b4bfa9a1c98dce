"""A whole dashboard: variables, links to the others, panels.

In: a page and its panels. Out: a dashboard of the Grafana Foundation SDK, and its JSON.
Never: an editable dashboard, a link hidden in a menu, a null panel id.
"""

import json
from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.config import CONFIG, Page
from deploy.grafana.dashboards.panels import DATASOURCE, PanelBuilder

#: A metric that every team and therapist has, also one whose scores are held back.
LISTED = "alliance_therapist_active_cases"
ALL = dashboard.VariableOption(selected=True, text="All", value="$__all")
QUERIES = {
    "team": ("Team", f"label_values({LISTED}, team)"),
    "therapist": ("Therapist", f'label_values({LISTED}{{team=~"$team"}}, therapist)'),
}


def a_dashboard(page: Page, what: str, since: str, panels: Sequence[PanelBuilder]) -> dashboard.Dashboard:
    """The page as a dashboard."""
    made = (
        builders.Dashboard(page.title)
        .uid(page.uid)
        .description(what)
        .tags(list(CONFIG.tags))
        .timezone(CONFIG.timezone)
        .week_start("monday")
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh(CONFIG.refresh)
        .version(1)
        .with_variable(_datasource())
    )
    for name in page.variables:
        made = made.with_variable(_variable(name))
    for other in CONFIG.pages:
        if other != page:
            made = made.link(_link(other))
    for panel in panels:
        made = made.with_panel(panel)
    return made.build()


def json_of(made: dashboard.Dashboard) -> str:
    """The checked-in text, with sorted keys, so that a diff shows only real changes."""
    plain: dict[str, Any] = json.loads(json.dumps(made, cls=JSONEncoder))
    plain["schemaVersion"] = CONFIG.schema_version
    for link in plain["links"]:
        # With it Grafana 12 would put the link into a menu instead of on the page.
        link.pop("placement", None)
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _datasource() -> builders.DatasourceVariable:
    current = dashboard.VariableOption(selected=True, text="Prometheus", value=CONFIG.datasource_uid)
    return (
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .type(CONFIG.datasource_type)
        .current(current)
        .multi(False)
        .include_all(False)
    )


def _variable(name: str) -> builders.QueryVariable:
    label, query = QUERIES[name]
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": f"variable-{name}"})
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        # Without it "All" would put two thousand names into every query.
        .all_value(".+")
        .current(ALL)
    )


def _link(page: Page) -> builders.DashboardLink:
    return (
        builders.DashboardLink(page.title)
        .type(dashboard.DashboardLinkType.LINK)
        .url(f"{CONFIG.link_prefix}{page.uid}")
        .icon("dashboard")
        .tooltip(page.title)
        .keep_time(False)
        .include_vars(True)
        .target_blank(False)
        .as_dropdown(False)
    )
