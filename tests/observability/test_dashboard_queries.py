"""Every query of every dashboard against a real Prometheus with half a year of a simulated practice.

In: the JSON that is checked in. Out: failures that name dashboard, panel and query.
Never: a query rewritten for the test.
"""

import json
import math
from datetime import timedelta
from typing import Any

import pytest

from deploy.grafana.dashboards.write import FOLDER
from deploy.grafana.panel_queries import Answer, Look, everything, values_of, variables_of
from deploy.testbed.history import BEGINNER, EXPORTER, FIRST_DAY, LEFT_OUT, NOW
from deploy.testbed.prometheus import Prometheus
from schemas.instruments.definition import INGREDIENTS

Json = dict[str, Any]
DASHBOARDS: dict[str, Json] = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
each_dashboard = pytest.mark.parametrize("name", DASHBOARDS)

ONE_EXPORTER = f'instance="{EXPORTER["instance"]}"'
#: Answers may be empty for one therapist or team where there is nothing to count, never for all.
MAY_BE_EMPTY_FOR_ONE = {"Who has open flags", "From flag to acknowledgement (7 days)"}


def faults(look: Look, prometheus: Prometheus, *, may_be_empty: bool) -> list[str]:
    """What is wrong with any query of the dashboard."""
    return [
        f"{panel['title']} / {answer.ref_id}: {fault}: {answer.expression}"
        for panel in look.dashboard["panels"]
        for answer in look.answers(prometheus, panel)
        if (fault := fault_of(answer, may_be_empty and panel["title"] in MAY_BE_EMPTY_FOR_ONE))
    ]


def fault_of(answer: Answer, may_be_empty: bool) -> str:
    """What is wrong with one answer, or nothing."""
    values = list(answer.values())
    if not values:
        return "" if may_be_empty else "empty"
    if all(math.isnan(value) for value in values):
        return "" if may_be_empty else "only NaN"
    if any(math.isinf(value) for value in values):
        return "infinite"
    if missing := answer.missing_labels():
        return f"the legend names {sorted(missing)}, the series have no such label"
    return ""


@each_dashboard
def test_with_everything_chosen_every_query_brings_numbers(name: str, observed: Prometheus) -> None:
    look = Look(DASHBOARDS[name], NOW, everything(DASHBOARDS[name]))
    assert not faults(look, observed, may_be_empty=False)


@each_dashboard
def test_with_one_value_of_each_variable_every_query_brings_numbers(name: str, observed: Prometheus) -> None:
    look = Look(DASHBOARDS[name], NOW, everything(DASHBOARDS[name]))
    for variable in variables_of(look.dashboard):
        values = values_of(observed, look, variable)
        assert len(values) > 1, f"{variable['name']} offers {values}"
        chosen = Look(look.dashboard, NOW, {**look.chosen, variable["name"]: values[0]})
        assert not faults(chosen, observed, may_be_empty=True), (variable["name"], values[0])


@each_dashboard
def test_a_therapist_whose_scores_are_held_back_breaks_no_query(name: str, observed: Prometheus) -> None:
    look = Look(DASHBOARDS[name], NOW, {**everything(DASHBOARDS[name]), "therapist": BEGINNER})
    for panel in look.dashboard["panels"]:
        for answer in look.answers(observed, panel):
            assert not any(math.isinf(value) for value in answer.values()), answer.expression


def test_a_therapist_whose_scores_are_held_back_is_on_no_panel_of_scores(observed: Prometheus) -> None:
    listed = values_of(observed, _look("therapists"), variables_of(DASHBOARDS["therapists"])[1])
    assert BEGINNER in listed
    look = _look("therapists")
    for panel in look.dashboard["panels"]:
        for answer in look.answers(observed, panel):
            shown = {series["metric"].get("therapist") for series in answer.result}
            assert BEGINNER not in shown, answer.expression


def test_the_mean_of_the_practice_is_that_of_its_cases_not_of_its_therapists(observed: Prometheus) -> None:
    (shown,) = _answers("practice", "Alliance now", observed)[0].values()
    points = observed.instant(f"alliance_therapist_score_points{{{ONE_EXPORTER}}}", NOW)
    cases = observed.instant(f"alliance_therapist_scored_cases{{{ONE_EXPORTER}}}", NOW)
    expected = sum(float(one["value"][1]) for one in points) / sum(float(one["value"][1]) for one in cases)
    assert shown == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "title"), [("practice", "The four ingredients"), ("therapists", "Their four ingredients, over time")]
)
def test_an_ingredient_is_the_mean_of_the_cases_that_answered_it(name: str, title: str, observed: Prometheus) -> None:
    def by_ingredient(expression: str) -> dict[str, float]:
        found = observed.instant(expression, NOW)
        return {one["metric"]["ingredient"]: float(one["value"][1]) for one in found}

    means, fewest = _answers(name, title, observed)
    points, cases = (
        by_ingredient(f"sum by (ingredient) (alliance_therapist_ingredient_{metric}{{{ONE_EXPORTER}}})")
        for metric in ("points", "scored_cases")
    )
    shown = by_ingredient(means.expression)
    (least,) = observed.instant(fewest.expression, NOW)
    assert shown.keys() == set(INGREDIENTS)
    assert shown == pytest.approx({ingredient: points[ingredient] / cases[ingredient] for ingredient in INGREDIENTS})
    assert float(least["value"][1]) == min(cases.values()) == cases[LEFT_OUT]
    assert cases[LEFT_OUT] < 0.8 * min(cases[ingredient] for ingredient in INGREDIENTS if ingredient != LEFT_OUT)


@pytest.mark.parametrize("name", [name for name in DASHBOARDS if name != "pipeline"])
def test_two_exporters_show_what_one_shows(name: str, observed: Prometheus) -> None:
    look = _look(name)
    for panel in look.dashboard["panels"]:
        for target in panel.get("targets", ()):
            asked = look.expression(target["expr"])
            of_one = asked.replace("{team=~", f"{{{ONE_EXPORTER}, team=~")
            assert of_one != asked
            # `increase` extrapolates a shorter series a little differently.
            assert numbers(observed.instant(asked, NOW)) == pytest.approx(
                numbers(observed.instant(of_one, NOW)), rel=0.01, nan_ok=True
            ), asked


@each_dashboard
def test_a_practice_without_any_data_breaks_no_query(name: str, observed: Prometheus) -> None:
    look = Look(DASHBOARDS[name], FIRST_DAY - timedelta(days=100), everything(DASHBOARDS[name]))
    for panel in look.dashboard["panels"]:
        for answer in look.answers(observed, panel):
            assert not any(math.isinf(value) for value in answer.values()), answer.expression


def test_limits_of_chance_lie_around_the_mean_and_narrow_with_n(observed: Prometheus) -> None:
    answers = _answers("therapists", "Mean alliance against number of scored cases", observed)
    number, _, upper, _, centre, _, lower = (_by_therapist(answer) for answer in answers)
    few, many = min(number, key=lambda one: number[one]), max(number, key=lambda one: number[one])
    assert number[few] < number[many]
    assert upper[few] - lower[few] > upper[many] - lower[many] > 0
    assert all(lower[one] < centre[one] < upper[one] for one in number)


def numbers(result: list[Json]) -> dict[str, float]:
    """Values by their labels."""
    return {json.dumps(series["metric"], sort_keys=True): float(series["value"][1]) for series in result}


def _look(name: str) -> Look:
    return Look(DASHBOARDS[name], NOW, everything(DASHBOARDS[name]))


def _answers(name: str, title: str, prometheus: Prometheus) -> list[Answer]:
    (panel,) = [one for one in DASHBOARDS[name]["panels"] if one["title"] == title]
    return _look(name).answers(prometheus, panel)


def _by_therapist(answer: Answer) -> dict[str, float]:
    return {series["metric"]["therapist"]: float(series["value"][1]) for series in answer.result}
