"""What each panel of a dashboard would show: its queries, sent to a Prometheus in the way Grafana sends them.

In: the dashboard's JSON, a choice for each variable, a moment. Out: results per panel and query.
Never: a query that the JSON does not hold; a variable that is not replaced.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deploy.testbed.prometheus import Prometheus

Json = dict[str, Any]
ALL = "$__all"
#: As in the provisioned data source.
SCRAPE_SECONDS = 30
MOST_POINTS = 250
UNITS = {"m": 60, "h": 3600, "d": 86400}
LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+),\s*(?P<label>\w+)\)")
LEFT_OVER = re.compile(r"\$\{?\w+")
LEGEND_LABEL = re.compile(r"{{\s*(\w+)\s*}}")


@dataclass(frozen=True)
class Answer:
    """The result of one query of a panel."""

    ref_id: str
    expression: str
    legend: str
    is_instant: bool
    result: list[Json]

    def values(self) -> Iterator[float]:
        """Every number in the result."""
        for series in self.result:
            yield from (float(value) for _, value in series.get("values", [series.get("value")]))

    def missing_labels(self) -> set[str]:
        """Labels that the legend names and a series lacks."""
        named = set(LEGEND_LABEL.findall(self.legend))
        return {label for series in self.result for label in named - series["metric"].keys()}

    def name_of(self, series: Json) -> str:
        """The series' name in the legend."""
        return LEGEND_LABEL.sub(lambda match: str(series["metric"].get(match[1], "")), self.legend)


@dataclass(frozen=True)
class Look:
    """A view of a dashboard: at which moment, with which choices."""

    dashboard: Json
    now: datetime
    chosen: Mapping[str, str]

    @property
    def start(self) -> datetime:
        """The beginning of the dashboard's own time range."""
        return self.now - timedelta(seconds=seconds_of(self.dashboard["time"]["from"].removeprefix("now-")))

    @property
    def step(self) -> int:
        """Seconds between points, a multiple of the scrape interval."""
        raw = (self.now - self.start).total_seconds() / MOST_POINTS
        return max(SCRAPE_SECONDS, round(raw / SCRAPE_SECONDS) * SCRAPE_SECONDS)

    def expression(self, text: str) -> str:
        """The expression with Grafana's variables and the dashboard's filled in."""
        seconds = int((self.now - self.start).total_seconds())
        # Grafana: max(4 * scrape interval, step + scrape interval).
        rate = max(4 * SCRAPE_SECONDS, self.step + SCRAPE_SECONDS)
        for name, length in (("__rate_interval", rate), ("__interval", self.step), ("__range", seconds)):
            text = text.replace(f"${name}", f"{length}s")
        for name, value in self.chosen.items():
            text = re.sub(rf"\$\{{{name}(:regex)?\}}|\${name}\b", lambda _, value=value: value, text)  # type: ignore[misc]
        left = LEFT_OVER.search(text)
        assert left is None, f"{left and left[0]} is left in {text}"
        return text

    def answers(self, prometheus: Prometheus, panel: Json) -> list[Answer]:
        """The result of every query of the panel."""
        return [self._answer(prometheus, target) for target in panel.get("targets", ())]

    def _answer(self, prometheus: Prometheus, target: Json) -> Answer:
        expression = self.expression(target["expr"])
        is_instant = bool(target.get("instant"))
        result = (
            prometheus.instant(expression, self.now)
            if is_instant
            else prometheus.range(expression, self.start, self.now, self.step)
        )
        return Answer(target["refId"], expression, target.get("legendFormat", ""), is_instant, result)


def seconds_of(text: str) -> int:
    """Seconds in a duration such as 6h or 90d."""
    return int(text[:-1]) * UNITS[text[-1]]


def variables_of(dashboard: Json) -> list[Json]:
    """The variables that hold values of labels, in order."""
    return [variable for variable in dashboard["templating"]["list"] if variable["type"] == "query"]


def everything(dashboard: Json) -> dict[str, str]:
    """“All” for each variable."""
    return {variable["name"]: variable["allValue"] for variable in variables_of(dashboard)}


def values_of(prometheus: Prometheus, look: Look, variable: Json) -> list[str]:
    """The values that the variable offers, given the choices before it."""
    match = LABEL_VALUES.fullmatch(variable["query"]["query"])
    assert match is not None, f"{variable['query']} is not a label_values(…)"
    return prometheus.label_values(match["label"], look.expression(match["selector"]), look.start, look.now)
