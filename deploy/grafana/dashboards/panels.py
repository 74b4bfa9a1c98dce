"""The kinds of panels, each with everything set that Grafana would otherwise choose by itself.

In: titles, descriptions, queries, units. Out: builders of the Grafana Foundation SDK.
Never: a panel without a description, a unit, an id; a state shown by colour alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    heatmap,
    prometheus,
    statetimeline,
    timeseries,
    xychart,
)
from grafana_foundation_sdk.builders import (
    common as common_builders,
)
from grafana_foundation_sdk.builders import (
    dashboard as builders,
)
from grafana_foundation_sdk.builders import (
    stat as stats,
)
from grafana_foundation_sdk.builders import (
    table as tables,
)
from grafana_foundation_sdk.builders import (
    text as texts,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import (
    common,
    dashboard,
)
from grafana_foundation_sdk.models import (
    heatmap as heatmap_models,
)
from grafana_foundation_sdk.models import (
    prometheus as prometheus_models,
)
from grafana_foundation_sdk.models import (
    text as text_models,
)
from grafana_foundation_sdk.models import (
    xychart as xychart_models,
)

from deploy.grafana.dashboards.config import CONFIG, GREEN, GREY, ORANGE, RED, Page

PanelBuilder = Builder[dashboard.Panel]
Panel = TypeVar(
    "Panel",
    stats.Panel,
    timeseries.Panel,
    tables.Panel,
    xychart.Panel,
    bargauge.Panel,
    statetimeline.Panel,
    heatmap.Panel,
    texts.Panel,
)

#: Words for 0, 1, 2; the colour only repeats them.
AS_EXPECTED = ("as expected", "look closer", "act now")
DATASOURCE = common.DataSourceRef(type_val=CONFIG.datasource_type, uid="${datasource}")


@dataclass(frozen=True)
class About:
    """A panel's stable number, its title, what it is, and its place in the 24 columns."""

    id: int
    title: str
    what: str
    when_to_worry: str
    what_to_do: str
    at: tuple[int, int, int, int]

    @property
    def description(self) -> str:
        """The text behind the panel's (i)."""
        return (
            f"**What is this?** {self.what}\n\n"
            f"**When to worry?** {self.when_to_worry}\n\n"
            f"**What to do?** {self.what_to_do}"
        )


@dataclass(frozen=True)
class Query:
    """An expression and the name of its result."""

    name: str
    expression: str
    unit: str = CONFIG.count_unit
    decimals: int = 0
    #: Words for 0, 1, 2, …; empty: the number is shown.
    words: tuple[str, ...] = ()
    colours: tuple[str, ...] = (GREEN, ORANGE, RED)
    #: A fixed colour of a series.
    colour: str = ""
    #: Drawn on a separate axis, at the right.
    on_the_right: bool = False
    dashed: bool = False
    link: str = ""
    width: int = 0


def state(expression: str, words: tuple[str, ...] = AS_EXPECTED) -> Query:
    """A state, as a word."""
    return Query("State", expression, words=words)


def link_to(page: Page, **chosen: str) -> str:
    """A link to another dashboard that keeps the time and the choices made; `chosen` replaces one."""
    kept = [f"${{{name}:queryparam}}" for name in ("datasource", *page.variables) if name not in chosen]
    made = [f"var-{name}={value}" for name, value in chosen.items()]
    return f"{CONFIG.link_prefix}{page.uid}?" + "&".join(["${__url_time_range}", *kept, *made])


def stat(about: About, queries: Sequence[Query], link: str = "") -> PanelBuilder:
    """One or a few numbers of this moment; the first is the one that the title names."""
    panel = _with_about(stats.Panel(), about)
    panel = (
        panel.unit(queries[0].unit)
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .justify_mode(common.BigValueJustifyMode.CENTER)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .orientation(common.VizOrientation.HORIZONTAL)
        .wide_layout(False)
        .no_value("nothing to show")
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_plain_thresholds())
        .color_scheme(_fixed(GREY))
    )
    if queries[0].words:
        panel = panel.mappings([_words(queries[0])])
    for number, query in enumerate((replace(queries[0], link=link), *queries[1:])):
        panel = panel.with_target(_target(query, number, instant=True)).override_by_name(
            query.name, _properties(query, in_text=True)
        )
    return panel


def series(
    about: About,
    queries: Sequence[Query],
    *,
    least: float | None = 0,
    most: float | None = None,
    legend: str = "bottom",
    axis: str = "",
) -> PanelBuilder:
    """Lines over time."""
    panel = _with_about(timeseries.Panel(), about)
    panel = (
        panel.unit(queries[0].unit)
        .decimals(queries[0].decimals)
        .draw_style(common.GraphDrawStyle.LINE)
        .line_width(2)
        .fill_opacity(0)
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(False)
        .axis_label(axis)
        .axis_placement(common.AxisPlacement.LEFT)
        .stacking(common_builders.StackingConfig().mode(common.StackingMode.NONE))
        .thresholds(_plain_thresholds())
        .color_scheme(_palette())
        # With the latest value, since lines near the top of 0–1 are close together.
        .legend(_legend(legend, last=True))
        .tooltip(_tooltip())
        .no_value("nothing to show")
    )
    if least is not None:
        panel = panel.min(least)
    if most is not None:
        panel = panel.max(most)
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(query, number, instant=False))
        if "{{" not in query.name:
            panel = panel.override_by_name(query.name, _properties(query))
    return panel


def table(about: About, keys: Mapping[str, str], queries: Sequence[Query], sort_by: str) -> PanelBuilder:
    """One row per combination of labels; `keys` maps labels to column titles."""
    panel = _with_about(tables.Panel(), about)
    panel = (
        panel.unit(CONFIG.count_unit)
        .show_header(True)
        .cell_height(common.TableCellHeight.SM)
        .thresholds(_plain_thresholds())
        .color_scheme(_fixed(GREY))
        .no_value("–")
        .sort_by([common_builders.TableSortByFieldState().display_name(sort_by).desc(False)])
    )
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(query, number, instant=True, as_table=True)).override_by_name(
            query.name, _properties(query, in_text=True)
        )
    for transformation in _one_row_each(keys, queries, sort_by):
        panel = panel.with_transformation(transformation)
    return panel


def with_key_link(panel: PanelBuilder, key: str, title: str, url: str) -> PanelBuilder:
    """Make a key column of a table a link."""
    assert isinstance(panel, tables.Panel)
    return panel.override_by_name(key, [_property("links", [{"title": title, "url": url}])])


def funnel(about: About, x: Query, points: Query, lines: Sequence[Query], keys: Mapping[str, str]) -> PanelBuilder:
    """Each therapist's value against the count, with limits as lines."""
    panel = _with_about(xychart.Panel(), about)
    panel = (
        panel.unit(points.unit)
        .min(0)
        .max(1)
        .mapping(xychart_models.SeriesMapping.MANUAL)
        .series([_xy(x.name, query.name) for query in (points, *lines)])
        .legend(_legend("bottom"))
        .tooltip(_tooltip(single=True))
        .thresholds(_plain_thresholds())
        .color_scheme(_fixed(GREY))
        .no_value("nothing to show")
    )
    for number, query in enumerate((x, points, *lines)):
        is_line = query in lines
        shown = [_property("custom.show", "lines" if is_line else "points")]
        if not is_line:
            shown += [_property("custom.pointSize", {"fixed": 8})]
        bounds = [_property("min", 0)] if query is x else []
        panel = panel.with_target(_target(query, number, instant=True, as_table=True)).override_by_name(
            query.name, [*_properties(query, in_text=True), *shown, *bounds]
        )
    for transformation in _one_row_each(keys, (x, points, *lines), sort_by=x.name):
        panel = panel.with_transformation(transformation)
    return panel


def bars(about: About, query: Query) -> PanelBuilder:
    """One horizontal bar per series, all of one colour, with the number written at its end."""
    panel = _with_about(bargauge.Panel(), about)
    return (
        panel.unit(query.unit)
        .decimals(query.decimals)
        .min(0)
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .value_mode(common.BarGaugeValueMode.TEXT)
        .show_unfilled(False)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_plain_thresholds())
        .color_scheme(_fixed(query.colour))
        .legend(_legend(""))
        .no_value("none")
        .with_target(_target(query, 0, instant=True))
    )


def timeline(about: About, query: Query) -> PanelBuilder:
    """One row per series, a word for each stretch of time."""
    panel = _with_about(statetimeline.Panel(), about)
    return (
        panel.unit(query.unit)
        .mappings([_words(query)])
        .show_value(common.VisibilityMode.AUTO)
        .merge_values(True)
        .row_height(0.9)
        .align_value(common.TimelineValueAlignment.LEFT)
        .thresholds(_plain_thresholds())
        .color_scheme(_fixed(GREY))
        .legend(_legend("bottom"))
        .tooltip(_tooltip())
        .no_value("nothing to show")
        .with_target(_target(query, 0, instant=False))
    )


def heat(about: About, query: Query) -> PanelBuilder:
    """How many fell into which bucket, over time."""
    panel = _with_about(heatmap.Panel(), about)
    return (
        panel.unit(query.unit)
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmap_models.HeatmapColorMode.SCHEME)
            .scheme("Blues")
            .steps(32)
            .exponent(0.5)
            .fill(GREY)
            .reverse(False)
        )
        .y_axis(heatmap.YAxisConfig().unit(CONFIG.seconds_unit).axis_placement(common.AxisPlacement.LEFT))
        .cell_gap(1)
        .show_legend()
        .tooltip(
            heatmap.HeatmapTooltip().mode(common.TooltipDisplayMode.SINGLE).y_histogram(False).show_color_scale(True)
        )
        .thresholds(_plain_thresholds())
        .with_target(_target(query, 0, instant=False, as_heatmap=True))
    )


def words(about: About, markdown: str) -> PanelBuilder:
    """A text on the page itself."""
    return _with_about(texts.Panel(), about).mode(text_models.TextMode.MARKDOWN).content(markdown)


def _with_about(panel: Panel, about: About) -> Panel:
    x, y, w, h = about.at
    return (
        panel.id(about.id)
        .title(about.title)
        .description(about.description)
        .transparent(False)
        .datasource(DATASOURCE)
        .grid_pos(dashboard.GridPos(h=h, w=w, x=x, y=y))
    )


def _target(
    query: Query, number: int, *, instant: bool, as_table: bool = False, as_heatmap: bool = False
) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(DATASOURCE).expr(query.expression).ref_id(chr(ord("A") + number))
    target = target.instant() if instant else target.range()
    if as_table:
        return target.format(prometheus_models.PromQueryFormat.TABLE).legend_format("__auto")
    if as_heatmap:
        return target.format(prometheus_models.PromQueryFormat.HEATMAP).legend_format(query.name)
    return target.format(prometheus_models.PromQueryFormat.TIME_SERIES).legend_format(query.name)


def _properties(query: Query, *, in_text: bool = False) -> list[dashboard.DynamicConfigValue]:
    properties = [_property("unit", query.unit), _property("decimals", query.decimals)]
    if query.words:
        properties.append(_property("mappings", [_words(query)]))
    if query.colour:
        properties.append(_property("color", {"mode": "fixed", "fixedColor": query.colour}))
    if query.on_the_right and not in_text:
        properties += [_property("custom.axisPlacement", "right"), _property("min", 0), _property("max", None)]
        properties += [_property("custom.axisLabel", query.name), _property("custom.lineWidth", 1)]
        properties += [_property("custom.fillOpacity", 12)]
    if query.dashed:
        properties.append(_property("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}))
    if query.link:
        properties.append(_property("links", [{"title": "Open", "url": query.link}]))
    if query.width:
        properties.append(_property("custom.width", query.width))
    return properties


def _property(name: str, value: object) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def _words(query: Query) -> dashboard.ValueMap:
    options = {
        str(number): dashboard.ValueMappingResult(text=word, color=query.colours[number], index=number)
        for number, word in enumerate(query.words)
    }
    return dashboard.ValueMap(options=options)


def _one_row_each(
    keys: Mapping[str, str], queries: Sequence[Query], sort_by: str
) -> list[dashboard.DataTransformerConfig]:
    # Grafana names the value of a lone query differently.
    values = ["Value"] if len(queries) == 1 else [f"Value #{chr(ord('A') + number)}" for number in range(len(queries))]
    titles = {**keys, **{value: query.name for value, query in zip(values, queries, strict=True)}}
    organize = {
        "excludeByName": {"Time": True},
        "indexByName": {name: place for place, name in enumerate(titles)},
        "renameByName": titles,
    }
    return [
        dashboard.DataTransformerConfig(id_val="merge", options={}),
        dashboard.DataTransformerConfig(id_val="organize", options=organize),
        dashboard.DataTransformerConfig(id_val="sortBy", options={"fields": {}, "sort": [{"field": sort_by}]}),
    ]


def _xy(x: str, y: str) -> xychart.XYSeriesConfig:
    def named(name: str) -> xychart.MatcherConfig:
        return xychart.MatcherConfig().id("byName").options(name)

    return (
        xychart.XYSeriesConfig()
        .name(xychart.XychartXYSeriesConfigName().fixed(y))
        .frame(xychart.XychartXYSeriesConfigFrame().matcher(xychart.MatcherConfig().id("byIndex").options(0)))
        .x(xychart.XychartXYSeriesConfigX().matcher(named(x)))
        .y(xychart.XychartXYSeriesConfigY().matcher(named(y)))
    )


def _plain_thresholds() -> builders.ThresholdsConfig:
    """No colour by value: states come as words."""
    return (
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=None, color=GREY)])
    )


def _fixed(colour: str) -> builders.FieldColor:
    return builders.FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color(colour or GREY)


def _palette() -> builders.FieldColor:
    return builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def _legend(placement: str, *, last: bool = False) -> common_builders.VizLegendOptions:
    legend = common_builders.VizLegendOptions().calcs(["lastNotNull"] if last else []).show_legend(bool(placement))
    side = common.LegendPlacement.RIGHT if placement == "right" else common.LegendPlacement.BOTTOM
    return legend.display_mode(common.LegendDisplayMode.LIST).placement(side)


def _tooltip(*, single: bool = False) -> common_builders.VizTooltipOptions:
    mode = common.TooltipDisplayMode.SINGLE if single else common.TooltipDisplayMode.MULTI
    return common_builders.VizTooltipOptions().mode(mode).sort(common.SortOrder.NONE)
