"""Lines, points, bars, states and heat as SVG.

In: plain numbers, names and colours. Out: SVG text of a given size.
Never: a clock, a random number, anything of Grafana's JSON.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

Point = tuple[float, float]
LEFT, RIGHT, TOP, BOTTOM = 62, 52, 12, 24
INK, FAINT, GRID = "#444", "#777", "#E3E3E3"


@dataclass(frozen=True)
class Line:
    """One series: its points (time or x, value), how it looks, on which side its axis is."""

    name: str
    points: Sequence[Point]
    colour: str
    width: float = 2
    is_dashed: bool = False
    on_the_right: bool = False
    is_points: bool = False
    is_filled: bool = False


@dataclass(frozen=True)
class Axis:
    """An axis from least to most, with ticks and how to write them."""

    least: float
    most: float
    write: Callable[[float], str]
    label: str = ""

    def ticks(self, count: int = 5) -> list[float]:
        """Round numbers inside the axis."""
        step = round_step((self.most - self.least) / count)
        first = math.ceil(self.least / step - 1e-9)
        last = math.floor(self.most / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def round_step(raw: float) -> float:
    """1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(raw)) if raw > 0 else 1
    return float(next(factor for factor in (1, 2, 5, 10) if factor * power >= raw - 1e-12) * power)


def axis_over(values: Sequence[float], least: float | None, most: float | None, write: Callable[[float], str]) -> Axis:
    """An axis that holds all values; an end that is given stays."""
    shown = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low = min(shown) if least is None else least
    high = max(shown) * 1.05 if most is None else most
    return Axis(low, high if high > low else low + 1, write)


def plot(width: int, height: int, lines: Sequence[Line], x: Axis, left: Axis, right: Axis | None, times: bool) -> str:
    """Lines and points over an x axis."""
    area = PlotArea(width, height, bool(right))
    parts = [area.grid(left), area.x_axis(x, times), area.axis_texts(left, side="left")]
    if right is not None:
        parts.append(area.axis_texts(right, side="right"))
    for line in sorted(lines, key=lambda line: (not line.is_filled, line.is_points)):
        axis = right if line.on_the_right and right is not None else left
        places = [(area.x(x, at), area.y(axis, value)) for at, value in line.points]
        parts.append(dots(places, line) if line.is_points else stroke(places, line, area.floor))
    return svg(width, height, parts)


@dataclass(frozen=True)
class PlotArea:
    """The rectangle between the axes."""

    width: int
    height: int
    has_right: bool

    @property
    def end(self) -> int:
        """The right edge."""
        return self.width - (RIGHT if self.has_right else 14)

    @property
    def floor(self) -> int:
        """The lower edge."""
        return self.height - BOTTOM

    def x(self, axis: Axis, value: float) -> float:
        """The horizontal position of a value."""
        return LEFT + (value - axis.least) / (axis.most - axis.least) * (self.end - LEFT)

    def y(self, axis: Axis, value: float) -> float:
        """The vertical position of a value."""
        return self.floor - (value - axis.least) / (axis.most - axis.least) * (self.floor - TOP)

    def grid(self, axis: Axis) -> str:
        """Horizontal lines at the ticks."""
        return "".join(
            f'<line x1="{LEFT}" x2="{self.end}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
            for y in (self.y(axis, tick) for tick in axis.ticks())
        )

    def axis_texts(self, axis: Axis, side: str) -> str:
        """The ticks' numbers, and the axis' name, turned upright."""
        is_left = side == "left"
        x, anchor = (LEFT - 6, "end") if is_left else (self.end + 6, "start")
        texts = [text(x, self.y(axis, tick) + 4, axis.write(tick), anchor) for tick in axis.ticks()]
        if axis.label:
            middle, edge = (TOP + self.floor) / 2, 10 if is_left else self.width - 4
            texts.append(text(edge, middle, axis.label, "middle", f'transform="rotate(-90 {edge} {middle})"'))
        return "".join(texts)

    def x_axis(self, axis: Axis, times: bool) -> str:
        """Ticks below; for times, about as many as fit."""
        count = max(2, (self.end - LEFT) // 110)
        ticks = time_ticks(axis, count) if times else [(tick, axis.write(tick)) for tick in axis.ticks(count)]
        line = f'<line x1="{LEFT}" x2="{self.end}" y1="{self.floor}" y2="{self.floor}" stroke="#999"/>'
        return line + "".join(text(self.x(axis, at), self.height - 6, label, "middle") for at, label in ticks)


def time_ticks(axis: Axis, count: int) -> list[tuple[float, str]]:
    """Whole hours or midnights (UTC), evenly spaced."""
    span = axis.most - axis.least
    step = next(
        (step for step in (1800, 3600, 7200, 86400, 2 * 86400, 7 * 86400, 14 * 86400) if span / step <= count),
        28 * 86400,
    )
    written = "%d %b" if step >= 86400 else "%H:%M"
    first = math.ceil(axis.least / step) * step
    return [
        (at, datetime.fromtimestamp(at, UTC).strftime(written).lstrip("0") or "0")
        for at in range(int(first), int(axis.most) + 1, step)
    ]


def stroke(places: Sequence[Point], line: Line, floor: float) -> str:
    """One line, broken where a value is missing."""
    pieces: list[list[Point]] = [[]]
    for place in places:
        if math.isfinite(place[1]):
            pieces[-1].append(place)
        elif pieces[-1]:
            pieces.append([])
    dash = ' stroke-dasharray="7 5"' if line.is_dashed else ""
    filled = "".join(
        f'<polygon fill="{line.colour}" fill-opacity="0.12" points="'
        + " ".join(f"{x:.1f},{y:.1f}" for x, y in [(piece[0][0], floor), *piece, (piece[-1][0], floor)])
        + '"/>'
        for piece in pieces
        if piece and line.is_filled
    )
    return filled + "".join(
        f'<polyline fill="none" stroke="{line.colour}" stroke-width="{line.width}"{dash} points="'
        + " ".join(f"{x:.1f},{y:.1f}" for x, y in piece)
        + '"/>'
        for piece in pieces
        if piece
    )


def dots(places: Sequence[Point], line: Line) -> str:
    """One circle each."""
    return "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{line.colour}" fill-opacity="0.75" stroke="#fff"/>'
        for x, y in places
    )


def bars(width: int, rows: Sequence[tuple[str, float, str]], colour: str) -> str:
    """Horizontal bars: name, value, the value's text."""
    most = max((value for _, value, _ in rows), default=0) or 1
    height, parts = 34 * len(rows) + 6, []
    for number, (name, value, written) in enumerate(rows):
        y, length = 34 * number + 4, value / most * (width - 190)
        parts.append(text(104, y + 19, name, "end"))
        parts.append(f'<rect x="112" y="{y}" width="{length:.1f}" height="26" fill="{colour}"/>')
        parts.append(text(118 + length, y + 19, written, "start", 'font-weight="600"'))
    return svg(width, height, parts)


def states(
    width: int, height: int, rows: Sequence[tuple[str, Sequence[tuple[float, float, str, str]]]], x: Axis
) -> str:
    """Rows of stretches: from, to, word, colour. The word is written where it fits."""
    area = PlotArea(width, height, has_right=False)
    tall = (area.floor - TOP) / max(1, len(rows))
    parts = [area.x_axis(x, times=True)]
    for number, (name, stretches) in enumerate(rows):
        y = TOP + number * tall
        parts.append(text(LEFT - 6, y + tall / 2 + 4, name, "end"))
        for start, end, word, colour in stretches:
            left, right = area.x(x, start), min(area.x(x, end), area.end)
            parts.append(
                f'<rect x="{left:.1f}" y="{y + 1:.1f}" width="{max(0.5, right - left):.1f}" '
                f'height="{tall - 2:.1f}" fill="{colour}"/>'
            )
            if right - left > 8 * len(word):
                ink = "#333" if is_light(colour) else "#fff"
                parts.append(text(left + 4, y + tall / 2 + 4, word, "start", ink=ink))
    return svg(width, height, parts)


def is_light(colour: str) -> bool:
    """Whether dark ink reads better on it."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return 0.3 * red + 0.6 * green + 0.1 * blue > 150


def heat(
    width: int, height: int, columns: Sequence[float], rows: Sequence[tuple[str, Sequence[float]]], x: Axis
) -> str:
    """Cells of a grid, darker the more; rows from the lowest."""
    area = PlotArea(width, height, has_right=False)
    most = max((value for _, values in rows for value in values if math.isfinite(value)), default=0) or 1
    tall, wide = (area.floor - TOP) / max(1, len(rows)), (area.end - LEFT) / max(1, len(columns))
    parts = [area.x_axis(x, times=True)]
    for number, (name, values) in enumerate(rows):
        y = area.floor - (number + 1) * tall
        parts.append(text(LEFT - 6, y + tall / 2 + 4, name, "end"))
        for at, value in zip(columns, values, strict=True):
            if value > 0:
                parts.append(
                    f'<rect x="{area.x(x, at):.1f}" y="{y:.1f}" width="{wide:.2f}" height="{tall - 1:.1f}" '
                    f'fill="#0B3D91" fill-opacity="{(value / most) ** 0.5:.2f}"/>'
                )
    return svg(width, height, parts)


def text(x: float, y: float, words: str, anchor: str, more: str = "", ink: str = INK) -> str:
    """A text at a position."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{ink}" {more}>{escape(words)}</text>'


def svg(width: int, height: int, parts: Sequence[str]) -> str:
    """The parts as one SVG."""
    return f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
