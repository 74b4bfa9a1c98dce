"""One panel as HTML, in the size that it has on the page.

In: the panel's JSON, the results of its queries, the view. Out: HTML.
Never: a panel type or a transformation ignored because it is unknown; it raises `NotUnderstood`.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from deploy.grafana.dashboards.config import GREY
from deploy.grafana.drawing import charts
from deploy.grafana.drawing.fields import PALETTE, Field, Json, NotUnderstood, duration, field_of, shade
from deploy.grafana.panel_queries import Answer, Look

LEGEND_HEIGHT = 24
Row = dict[str, float | str]


@dataclass(frozen=True)
class Box:
    """A panel with the results of its queries, and the size inside its frame."""

    panel: Json
    answers: Sequence[Answer]
    look: Look
    width: int
    height: int

    @property
    def nothing(self) -> str:
        """What the panel shows when there is no data."""
        word = self.panel["fieldConfig"]["defaults"].get("noValue", "no data")
        return f'<div class="nothing">{escape(word)}</div>'

    @property
    def times(self) -> charts.Axis:
        """The time range."""
        return charts.Axis(self.look.start.timestamp(), self.look.now.timestamp(), str)


def draw(box: Box) -> str:
    """The contents of the panel."""
    kind = box.panel["type"]
    if kind not in KINDS:
        raise NotUnderstood(f"a panel of the type {kind} ({box.panel['title']})")
    return KINDS[kind](box)


def stat(box: Box) -> str:
    """Large numbers; the first is the one that the title names."""
    shown = []
    for answer in box.answers:
        if not answer.result:
            shown.append((box.panel["fieldConfig"]["defaults"]["noValue"], "#777", answer.legend))
        for series in answer.result:
            name, value = answer.name_of(series), float(series["value"][1])
            field = field_of(box.panel, name)
            word = field.word(value)
            colour = shade(word["color"]) if word else field.colour
            shown.append((field.text(value), "#222" if colour == GREY else colour, name))
    values = [
        f'<div class="value"><b style="color:{colour}">{escape(text)}</b><i>{escape(name)}</i></div>'
        for text, colour, name in shown
    ]
    return f'<div class="stat">{"".join(values)}</div>'


def lines(box: Box) -> str:
    """Lines over time, with a legend that names all of them."""
    fields = _series(box)
    if not fields:
        return box.nothing
    drawn = [_line(field, series["values"], number) for number, (field, series) in enumerate(fields)]
    left = [(field, line) for (field, _), line in zip(fields, drawn, strict=True) if not line.on_the_right]
    right = [(field, line) for (field, _), line in zip(fields, drawn, strict=True) if line.on_the_right]
    defaults = field_of(box.panel, "")
    left_axis = _axis(left, defaults.get("min"), defaults.get("max"), str(defaults.get("custom.axisLabel") or ""))
    right_axis = _axis(right, 0, None, "") if right else None
    calcs = box.panel["options"]["legend"]["calcs"]
    named = [
        (line, field.text(line.points[-1][1]) if calcs else "") for (field, _), line in zip(fields, drawn, strict=True)
    ]
    height = box.height - legend_height(named, box.width)
    return charts.plot(box.width, height, drawn, box.times, left_axis, right_axis, True) + legend(named)


def _series(box: Box) -> list[tuple[Field, Json]]:
    return [
        (field_of(box.panel, answer.name_of(series)), series)
        for answer in box.answers
        for series in sorted(answer.result, key=answer.name_of)
    ]


def _line(field: Field, values: Sequence[Sequence[float]], number: int) -> charts.Line:
    points = [(float(at), float(value)) for at, value in values]
    return charts.Line(
        field.name,
        points,
        field.colour or PALETTE[number % len(PALETTE)],
        float(field.get("custom.lineWidth", 2)),
        (field.get("custom.lineStyle") or {}).get("fill") == "dash",
        field.get("custom.axisPlacement") == "right",
        is_filled=bool(field.get("custom.fillOpacity")),
    )


def _axis(of: Sequence[tuple[Field, charts.Line]], least: float | None, most: float | None, label: str) -> charts.Axis:
    values = [value for _, line in of for _, value in line.points]
    field = of[0][0]
    unit = field.get("unit", "none")

    def write(value: float) -> str:
        if unit == "s":
            return duration(value, 0 if value >= 1 else None)
        if unit in ("none", "short", "reqps"):
            return f"{value:g}"
        return field.text(value)

    axis = charts.axis_over(values, least, most, write)
    if unit == "s" and axis.most > 3600:
        axis = SecondsAxis(axis.least, axis.most, write)
    return charts.Axis(axis.least, axis.most, write, label) if label else axis


class SecondsAxis(charts.Axis):
    """An axis whose ticks are whole hours or days."""

    def ticks(self, count: int = 5) -> list[float]:
        """Hours or days."""
        raw = (self.most - self.least) / count
        step = next((step for step in (3600, 21600, 43200, 86400, 172800, 604800, 1209600) if step >= raw), 2419200)
        return [float(tick) for tick in range(0, int(self.most) + 1, step)]


def legend(named: Sequence[tuple[charts.Line, str]]) -> str:
    """The name and the latest value of each line, beside a sample of it."""
    items = [
        f"<span>{_sample(line)} {escape(line.name)}{' (right axis)' if line.on_the_right else ''}"
        f"{f': <b>{escape(last)}</b>' if last else ''}</span>"
        for line, last in named
    ]
    return f'<div class="legend">{"".join(items)}</div>'


def _sample(line: charts.Line) -> str:
    if line.is_points:
        return f'<svg width="14" height="12"><circle cx="7" cy="6" r="5" fill="{line.colour}"/></svg>'
    dash = ' stroke-dasharray="7 4"' if line.is_dashed else ""
    stroke = f'stroke="{line.colour}" stroke-width="2.5"{dash}'
    return f'<svg width="24" height="10"><line x1="0" x2="24" y1="5" y2="5" {stroke}/></svg>'


def legend_height(named: Sequence[tuple[charts.Line, str]], width: int) -> int:
    """One row, or as many as the names need."""
    letters = sum(len(line.name) + len(last) + (13 if line.on_the_right else 0) + 7 for line, last in named)
    return LEGEND_HEIGHT * max(1, math.ceil(letters * 8 / width))


def rows_of(panel: Json, answers: Sequence[Answer]) -> tuple[list[str], list[Row]]:
    """Merge, organize, sort by: the transformations that the dashboards' tables use."""
    steps = panel["transformations"]
    if [step["id"] for step in steps] != ["merge", "organize", "sortBy"]:
        raise NotUnderstood(f"the transformations of {panel['title']}")
    order: dict[str, int] = steps[1]["options"]["indexByName"]
    titles: dict[str, str] = dict(
        sorted(steps[1]["options"]["renameByName"].items(), key=lambda title: order[title[0]])
    )
    labels = [name for name in titles if not name.startswith("Value")]
    rows: dict[tuple[str, ...], Row] = {}
    for answer in answers:
        for series in answer.result:
            key = tuple(series["metric"].get(label, "") for label in labels)
            row = rows.setdefault(key, {titles[label]: part for label, part in zip(labels, key, strict=True)})
            column = "Value" if len(answers) == 1 else f"Value #{answer.ref_id}"
            row[titles[column]] = float(series["value"][1])
    key = steps[2]["options"]["sort"][0]["field"]
    return list(titles.values()), sorted(rows.values(), key=lambda row: _for_sorting(row.get(key)))


def _for_sorting(value: float | str | None) -> tuple[float, str]:
    return (0.0, value) if isinstance(value, str) else (math.inf if value is None else value, "")


def table(box: Box) -> str:
    """Rows and columns; a link is underlined."""
    titles, rows = rows_of(box.panel, box.answers)
    if not rows:
        return box.nothing
    fields = {title: field_of(box.panel, title) for title in titles}
    keys = {title for row in rows for title, value in row.items() if isinstance(value, str)}
    head = "".join(f'<th class="{"key" if title in keys else "figure"}">{escape(title)}</th>' for title in titles)
    body = "".join(f"<tr>{''.join(_cell(fields[title], row.get(title)) for title in titles)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(field: Field, value: float | str | None) -> str:
    if value is None:
        return "<td>–</td>"
    if isinstance(value, str):
        return f'<td class="key{" link" if field.get("links") else ""}">{escape(value)}</td>'
    word = field.word(value)
    colour = shade(word.get("color", "")) if word else ""
    return f'<td style="color:{colour if colour not in ("", GREY) else "#222"}">{escape(field.text(value))}</td>'


def scatter(box: Box) -> str:
    """Points and lines over a number."""
    _, rows = rows_of(box.panel, box.answers)
    if not rows:
        return box.nothing
    series = box.panel["options"]["series"]
    names = [(each["x"]["matcher"]["options"], each["y"]["matcher"]["options"]) for each in series]
    drawn = []
    for x, y in names:
        field = field_of(box.panel, y)
        points = [(float(row[x]), float(row[y])) for row in rows if x in row and y in row]
        is_points = field.get("custom.show") == "points"
        is_dashed = (field.get("custom.lineStyle") or {}).get("fill") == "dash"
        drawn.append(charts.Line(y, points, field.colour, 2, is_dashed, is_points=is_points))
    most = max(point[0] for line in drawn for point in line.points)
    x_axis = charts.Axis(0, most * 1.03, lambda value: f"{value:g}")
    y_axis = charts.Axis(0, 1, lambda value: f"{value:g}", names[0][1])
    named = [(line, "") for line in drawn]
    plotted = charts.plot(
        box.width, box.height - 20 - legend_height(named, box.width), drawn, x_axis, y_axis, None, False
    )
    return f'{plotted}<div class="below">{escape(names[0][0])}</div>{legend(named)}'


def bars(box: Box) -> str:
    """Horizontal bars, longest first."""
    (answer,) = box.answers
    field = field_of(box.panel, "")
    found = [(answer.name_of(series), float(series["value"][1])) for series in answer.result]
    rows = [(name, value, field.text(value)) for name, value in sorted(found)]
    return charts.bars(box.width, rows, field.colour) if rows else box.nothing


def timeline(box: Box) -> str:
    """A row of words for each series, and a legend of the words."""
    field = field_of(box.panel, "")
    rows = [(shown.name, _stretches(field, series["values"], box.look.step)) for shown, series in _series(box)]
    if not rows:
        return box.nothing
    words = [word for mapping in field.get("mappings") for word in mapping["options"].values()]
    named = "".join(
        f'<span><svg width="14" height="12"><rect width="14" height="12" fill="{shade(word["color"])}"/></svg> '
        f"{escape(word['text'])}</span>"
        for word in words
    )
    drawn = charts.states(box.width, box.height - LEGEND_HEIGHT, rows, box.times)
    return f'{drawn}<div class="legend">{named}</div>'


def _stretches(field: Field, values: Sequence[Sequence[float]], step: int) -> list[tuple[float, float, str, str]]:
    found: list[tuple[float, float, str, str]] = []
    for at, value in ((float(at), float(value)) for at, value in values):
        word = field.word(value) or {"text": field.text(value), "color": "#BBBBBB"}
        text, colour = word["text"], shade(word["color"])
        if found and found[-1][2] == text and abs(found[-1][1] - at) < step / 2:
            found[-1] = (found[-1][0], at + step, text, colour)
        else:
            found.append((at, at + step, text, colour))
    return found


def heat(box: Box) -> str:
    """Cumulative buckets made into single ones."""
    (answer,) = box.answers
    by_bound = {
        float(series["metric"]["le"]): {float(at): float(value) for at, value in series["values"]}
        for series in answer.result
    }
    bounds = sorted(by_bound)
    if not bounds:
        return box.nothing
    columns = sorted(by_bound[bounds[-1]])
    below = [0.0] * len(columns)
    rows = []
    for bound in bounds:
        values = [by_bound[bound].get(at, 0.0) for at in columns]
        name = "more" if math.isinf(bound) else f"≤ {duration(bound, 0) if bound >= 60 else f'{bound:g} s'}"
        rows.append((name, [max(0.0, value - less) for value, less in zip(values, below, strict=True)]))
        below = values
    return charts.heat(box.width, box.height, columns, rows, box.times)


def words(box: Box) -> str:
    """The Markdown that the dashboards' texts use: bold, and blank lines between paragraphs."""
    options = box.panel["options"]
    if options["mode"] != "markdown":
        raise NotUnderstood(f"a text in {options['mode']}")
    paragraphs = escape(options["content"]).split("\n\n")
    marked = [re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", paragraph) for paragraph in paragraphs]
    return '<div class="words">' + "".join(f"<p>{paragraph}</p>" for paragraph in marked) + "</div>"


KINDS: Mapping[str, Callable[[Box], str]] = {
    "stat": stat,
    "timeseries": lines,
    "table": table,
    "xychart": scatter,
    "bargauge": bars,
    "state-timeline": timeline,
    "heatmap": heat,
    "text": words,
}
