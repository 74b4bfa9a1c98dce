"""What every dashboard must be, as rules over its JSON.

In: dashboards' JSON. Out: complaints, one text each.
Never: a request to a server (`promtool`, which parses queries, is a local program).
"""

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry

from consumers.exporter.metrics import FlagMeters, TherapistCollector
from consumers.exporter.state import ExporterState
from deploy.grafana.dashboards.config import CONFIG
from deploy.grafana.panel_queries import LABEL_VALUES, Json, Look, everything, variables_of
from deploy.local.parts import program
from deploy.testbed.history import NOW
from pipeline.runtime.metrics import Meters

Dashboards = Mapping[str, Json]
COLUMNS = 24
#: Closed lists, and the two pseudonyms of staff. Nothing of a client, no instance.
LABELS = {"team", "therapist", "ingredient", "severity", "kind", "le", "stage", "type", "reason", "job", "version"}
QUESTIONS = ("What is this?", "When to worry?", "What to do?")
POINTS = re.compile(r"alliance_therapist_(score|ingredient)_points")
#: By the sum that is divided: the cases behind it.
CASES = {"score": "alliance_therapist_scored_cases", "ingredient": "alliance_therapist_ingredient_scored_cases"}
WITH_LEGEND = {"timeseries", "xychart", "state-timeline"}
OVER_A_WINDOW = re.compile(r"\b(?P<function>rate|irate|increase|delta|\w+_over_time)\([^\[\]]*\[(?P<window>[^\]]+)\]")
COUNTER = re.compile(r"\balliance_\w+_(?:total|bucket|count|sum)\b(?:{[^}]*})?(?P<next>.?)")
METRIC = re.compile(r"\b(alliance_\w+|up|scrape_\w+)\b(?=[{\s)\[]|$)")
MATCHER = re.compile(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)")


def plots(dashboards: Dashboards) -> Iterator[tuple[str, Json]]:
    """Every panel that shows figures, so no text."""
    yield from ((name, panel) for name, panel in panels(dashboards) if panel["type"] != "text")


def panels(dashboards: Dashboards) -> Iterator[tuple[str, Json]]:
    """Every panel with the words that name it."""
    for name, dashboard in dashboards.items():
        for panel in dashboard["panels"]:
            yield f"{name} / {panel.get('title') or panel.get('id')}", panel


def queries(dashboards: Dashboards) -> Iterator[tuple[str, Json, Json]]:
    """Every query with the words that name it, and its panel."""
    for name, panel in panels(dashboards):
        for target in panel.get("targets", ()):
            yield f"{name} / {target['refId']}", panel, target


def is_read_only(dashboards: Dashboards) -> Iterator[str]:
    """Changes come from code."""
    yield from (f"{name} is editable" for name, dashboard in dashboards.items() if dashboard["editable"] is not False)


def has_a_stable_uid(dashboards: Dashboards) -> Iterator[str]:
    """Links and bookmarks stay."""
    known = [page.uid for page in CONFIG.pages]
    found = {name: dashboard.get("uid") for name, dashboard in dashboards.items()}
    yield from (f"{name} has the uid {uid}" for name, uid in found.items() if uid not in known)
    yield from (f"two dashboards have the uid {uid}" for uid, count in Counter(found.values()).items() if count > 1)


def panels_have_unique_ids(dashboards: Dashboards) -> Iterator[str]:
    """A link to one panel stays."""
    for name, dashboard in dashboards.items():
        ids = [panel.get("id") for panel in dashboard["panels"]]
        yield from (f"{name} has a panel without an id" for number in ids if not number)
        yield from (f"{name} has two panels with the id {number}" for number in set(ids) if ids.count(number) > 1)


def panels_do_not_overlap(dashboards: Dashboards) -> Iterator[str]:
    """Every panel can be seen in full."""
    for name, dashboard in dashboards.items():
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            if not (place["x"] >= 0 and place["x"] + place["w"] <= COLUMNS and place["w"] > 0 and place["h"] > 0):
                yield f"{name} / {panel['title']} leaves the grid"
        for panel, other in combinations(dashboard["panels"], 2):
            if overlap(panel["gridPos"], other["gridPos"]):
                yield f"{name}: {panel['title']} overlaps {other['title']}"


def overlap(place: Json, other: Json) -> bool:
    """Whether two rectangles share a cell."""
    across = place["x"] < other["x"] + other["w"] and other["x"] < place["x"] + place["w"]
    return bool(across and place["y"] < other["y"] + other["h"] and other["y"] < place["y"] + place["h"])


def panels_explain_themselves(dashboards: Dashboards) -> Iterator[str]:
    """A title, and an answer to three questions."""
    for name, panel in panels(dashboards):
        if not panel.get("title"):
            yield f"{name} has no title"
        yield from (
            f"{name}: “{text}” is not answered" for text in QUESTIONS if text not in panel.get("description", "")
        )


def panels_have_units_and_queries(dashboards: Dashboards) -> Iterator[str]:
    """No bare number, no empty frame."""
    for name, panel in plots(dashboards):
        if not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{name} has no unit"
        if not panel.get("targets"):
            yield f"{name} asks nothing"


def the_data_source_is_a_variable(dashboards: Dashboards) -> Iterator[str]:
    """The data source is chosen on the page, once for all panels."""
    for name, dashboard in dashboards.items():
        kinds = [(variable["type"], variable.get("query")) for variable in dashboard["templating"]["list"]]
        if ("datasource", "prometheus") not in kinds:
            yield f"{name} has no variable for the data source"
        for place in [*dashboard["templating"]["list"], *dashboard["panels"]]:
            if place.get("type") != "datasource" and place.get("datasource", {}).get("uid") != "${datasource}":
                yield f"{name} / {place.get('name') or place['title']} has another data source"
    for name, _, target in queries(dashboards):
        if target.get("datasource", {}).get("uid") != "${datasource}":
            yield f"{name} has another data source"


def variables_follow_the_time(dashboards: Dashboards) -> Iterator[str]:
    """A variable offers the names of the time range; “All” does not write out two thousand names."""
    for name, dashboard in dashboards.items():
        for variable in variables_of(dashboard):
            if variable["refresh"] != 2:
                yield f"{name}: ${variable['name']} is not read again when the time range changes"
            if not variable.get("includeAll") or not variable.get("allValue"):
                yield f"{name}: ${variable['name']} has no value for “All”"
            if not LABEL_VALUES.fullmatch(variable["query"]["query"]):
                yield f"{name}: ${variable['name']} is not a label_values(…)"


def queries_parse(dashboards: Dashboards, folder: Path) -> Iterator[str]:
    """promtool accepts them, with “All” chosen; also the selectors of variables."""
    asked = [
        (name, Look(dashboard, NOW, everything(dashboard)).expression(text))
        for key, dashboard in dashboards.items()
        for name, text in [
            *((name, target["expr"]) for name, _, target in queries({key: dashboard})),
            *((f"{key} / ${variable['name']}", selector_of(variable)) for variable in variables_of(dashboard)),
        ]
    ]
    rules = [{"record": f"q:{number}", "expr": text} for number, (_, text) in enumerate(asked)]
    path = folder / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    answer = subprocess.run(
        [str(program("promtool")), "check", "rules", "--lint=none", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        for found in re.finditer(r"rule (\d+), \"q:\d+\": (.*)", answer.stderr):
            yield f"{asked[int(found[1]) - 1][0]}: {found[2]}"
        if "rule " not in answer.stderr:
            yield answer.stderr


def selector_of(variable: Json) -> str:
    """What a variable's label_values(…) looks at."""
    match = LABEL_VALUES.fullmatch(variable["query"]["query"])
    return match["selector"] if match else ""


def windows_are_wide_enough(dashboards: Dashboards) -> Iterator[str]:
    """`rate` follows the scrape interval; `increase` may also use one of the configured windows."""
    for name, _, target in queries(dashboards):
        for found in OVER_A_WINDOW.finditer(target["expr"]):
            allowed = {"$__rate_interval"} | (CONFIG.windows if found["function"] == "increase" else set())
            if found["window"] not in allowed:
                yield f"{name}: {found['function']} over [{found['window']}]"


def counters_are_not_read_bare(dashboards: Dashboards) -> Iterator[str]:
    """A counter's own value means nothing: it begins at zero again with its process."""
    for name, _, target in queries(dashboards):
        for found in re.finditer(
            r"\balliance_\w+_(total|bucket|count|sum)\b(\{[^}]*\})?(?!\{)(?P<next>.?)", target["expr"]
        ):
            before = target["expr"][: found.start()]
            if found["next"] != "[" or not re.search(r"\b(rate|irate|increase)\($", before):
                yield f"{name} reads the counter {found[0]} bare"


def therapists_are_counted_once(dashboards: Dashboards) -> Iterator[str]:
    """Two exporters expose the same figures: `max by (team, therapist)` comes before anything else."""
    for name, _, target in queries(dashboards):
        for found in re.finditer(r"\balliance_therapist_\w+", target["expr"]):
            if not re.search(r"max by \(team, therapist(, \w+)*\) \($", target["expr"][: found.start()]):
                yield f"{name}: {found[0]} is not under max by (team, therapist)"


def thresholds_begin_at_nothing(dashboards: Dashboards) -> Iterator[str]:
    """The first step of a threshold holds for every value."""
    for name, panel in plots(dashboards):
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        if not steps or steps[0].get("value") is not None:
            yield f"{name}: the first step of the thresholds is not null"


def states_are_words(dashboards: Dashboards) -> Iterator[str]:
    """No state by colour alone: thresholds have one step, and what has a state's colour has a word."""
    for name, panel in plots(dashboards):
        config = panel["fieldConfig"]
        if len(config["defaults"].get("thresholds", {}).get("steps", [])) > 1:
            yield f"{name} shows by colour what no word says"
        written = [*config["defaults"].get("mappings", ())]
        for override in config["overrides"]:
            for item in override["properties"]:
                written += item["value"] if item["id"] == "mappings" else []
        for mapping in written:
            yield from (
                f"{name} has a colour without a word"
                for option in mapping["options"].values()
                if not option.get("text")
            )


def metrics_exist(dashboards: Dashboards) -> Iterator[str]:
    """Every metric is one that a process of the system or Prometheus itself exposes."""
    known = exposed()
    for name, _, target in queries(dashboards):
        for metric in METRIC.findall(target["expr"]):
            if metric not in known:
                yield f"{name}: no process exposes {metric}"


def exposed() -> set[str]:
    """The names of all samples of the system, and two of Prometheus itself."""
    registries = [CollectorRegistry(), Meters("0").registry]
    FlagMeters(registries[0])
    registries[0].register(TherapistCollector(ExporterState(), lambda: NOW))
    families = [family for registry in registries for family in registry.collect()]
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    return {f"{family.name}{suffix}" for family in families for suffix in suffixes[family.type]} | {
        "up",
        "scrape_duration_seconds",
    }


def labels_are_allowed(dashboards: Dashboards) -> Iterator[str]:
    """No panel can query a client."""
    for name, panel, target in queries(dashboards):
        text = target["expr"]
        found = {
            *MATCHER.findall(text),
            *(label for group in GROUPING.findall(text) for label in re.findall(r"\w+", group)),
        }
        found |= set(re.findall(r"{{\s*(\w+)\s*}}", target.get("legendFormat", "")))
        found |= {label for label in keys_of(panel) if label}
        yield from (f"{name} names the label {label}" for label in sorted(found - LABELS))


def keys_of(panel: Json) -> set[str]:
    """Labels that a table makes columns of."""
    names = [
        name
        for step in panel.get("transformations", ())
        if step["id"] == "organize"
        for name in step["options"]["renameByName"]
    ]
    return {name for name in names if not name.startswith("Value")}


def means_have_their_n(dashboards: Dashboards) -> Iterator[str]:
    """A mean has the number of cases behind it beside it."""
    for name, panel in panels(dashboards):
        asked = [target["expr"] for target in panel.get("targets", ())]
        for kind in {found[1] for text in asked for found in POINTS.finditer(text)}:
            if not any(CASES[kind] in text and not POINTS.search(text) for text in asked):
                yield f"{name} shows a mean without its n"


def means_are_divided_by_their_own_n(dashboards: Dashboards) -> Iterator[str]:
    """A scored case need not have every ingredient, and an ingredient without an answer is not a 0."""
    for name, _, target in queries(dashboards):
        for kind in {found[1] for found in POINTS.finditer(target["expr"])}:
            others = [cases for other, cases in CASES.items() if other != kind and cases in target["expr"]]
            if CASES[kind] not in target["expr"] or others:
                yield f"{name} divides the points of one kind by the cases of another"


def alliance_is_drawn_from_0_to_1(dashboards: Dashboards) -> Iterator[str]:
    """Two panels can be compared by eye."""
    for name, panel in panels(dashboards):
        if panel["type"] in ("timeseries", "xychart") and any(
            POINTS.search(target["expr"]) for target in panel["targets"]
        ):
            defaults = panel["fieldConfig"]["defaults"]
            if (defaults.get("min"), defaults.get("max")) != (0, 1):
                yield f"{name} has an axis from {defaults.get('min')} to {defaults.get('max')}"


def legends_and_tooltips_are_set(dashboards: Dashboards) -> Iterator[str]:
    """Without a setting some versions of Grafana hide it and others show it."""
    for name, panel in panels(dashboards):
        if panel["type"] in WITH_LEGEND:
            if not panel["options"].get("legend", {}).get("showLegend"):
                yield f"{name} has no legend"
            if panel["options"].get("tooltip", {}).get("mode") not in ("single", "multi"):
                yield f"{name} has no tooltip"


def links_lead_somewhere(dashboards: Dashboards) -> Iterator[str]:
    """Every /d/… is a dashboard of this folder; every page leads to all the others."""
    uids = {dashboard["uid"] for dashboard in dashboards.values()}
    for name, dashboard in dashboards.items():
        for uid in re.findall(r'"/d/([\w-]+)', to_text(dashboard)):
            if uid not in uids:
                yield f"{name} leads to {uid}, which is not a dashboard"
        on_top = {str(link["url"]).removeprefix(CONFIG.link_prefix) for link in dashboard["links"]}
        if on_top != {page.uid for page in CONFIG.pages} - {dashboard["uid"]}:
            yield f"{name} does not lead to all the others"


def to_text(value: Any) -> str:
    """Every text within, each in quotation marks."""
    if isinstance(value, dict):
        return " ".join(map(to_text, value.values()))
    if isinstance(value, list):
        return " ".join(map(to_text, value))
    return f'"{value}"'


RULES: tuple[Callable[[Dashboards], Iterator[str]], ...] = (
    is_read_only,
    has_a_stable_uid,
    panels_have_unique_ids,
    panels_do_not_overlap,
    panels_explain_themselves,
    panels_have_units_and_queries,
    the_data_source_is_a_variable,
    variables_follow_the_time,
    windows_are_wide_enough,
    counters_are_not_read_bare,
    therapists_are_counted_once,
    thresholds_begin_at_nothing,
    states_are_words,
    metrics_exist,
    labels_are_allowed,
    means_have_their_n,
    means_are_divided_by_their_own_n,
    alliance_is_drawn_from_0_to_1,
    legends_and_tooltips_are_set,
    links_lead_somewhere,
)
