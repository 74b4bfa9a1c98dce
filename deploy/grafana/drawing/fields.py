"""What a field of a panel is called, in which unit, colour and words it is shown.

In: a panel's `fieldConfig`. Out: texts and colours.
Never: a unit or a property ignored because it is unknown; it raises `NotUnderstood`.
"""

import math
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
COLOURS = {"green": "#1A7F37", "orange": "#B35900", "red": "#C4162A"}
#: For series without a colour of their own.
PALETTE = ("#3274D9", "#B35900", "#1F8A8A", "#8F3BB8", "#5C6B00", "#A0306B", "#4A4A9C", "#7A4E2D")
UNDERSTOOD = {
    "unit",
    "decimals",
    "mappings",
    "color",
    "links",
    "min",
    "max",
    "custom.axisPlacement",
    "custom.axisLabel",
    "custom.lineWidth",
    "custom.lineStyle",
    "custom.fillOpacity",
    "custom.width",
    "custom.show",
    "custom.pointSize",
}


class NotUnderstood(Exception):
    """The JSON holds something that these drawings cannot show."""


@dataclass(frozen=True)
class Field:
    """One series or column, as the panel wants it shown."""

    name: str
    properties: Json

    def get(self, name: str, default: Any = None) -> Any:
        """A property, if it is set."""
        return self.properties.get(name, default)

    @property
    def colour(self) -> str:
        """A fixed colour, or an empty text."""
        colour = self.get("color") or {}
        return shade(colour.get("fixedColor", "")) if colour.get("mode") == "fixed" else ""

    def text(self, value: float) -> str:
        """The value as people read it."""
        word = self.word(value)
        return word["text"] if word else formatted(value, self.get("unit", "none"), self.get("decimals"))

    def word(self, value: float) -> Json | None:
        """The mapping of the value, if there is one."""
        for mapping in self.get("mappings") or ():
            if mapping["type"] != "value":
                raise NotUnderstood(f"a mapping by {mapping['type']}")
            found: Json | None = mapping["options"].get(f"{value:g}")
            if found:
                return found
        return None


def field_of(panel: Json, name: str) -> Field:
    """The defaults of the panel, and what is set for this name."""
    config = panel["fieldConfig"]
    properties = {key: value for key, value in config["defaults"].items() if key != "custom"}
    properties.update({f"custom.{key}": value for key, value in config["defaults"].get("custom", {}).items()})
    for override in config["overrides"]:
        if override["matcher"]["id"] != "byName":
            raise NotUnderstood(f"an override {override['matcher']['id']}")
        if override["matcher"]["options"] == name:
            for item in override["properties"]:
                if item["id"] not in UNDERSTOOD:
                    raise NotUnderstood(f"the property {item['id']}")
                properties[item["id"]] = item.get("value")
    return Field(name, properties)


def shade(colour: str) -> str:
    """A colour that a browser knows, dark enough to be read on white."""
    return COLOURS.get(colour, colour)


def formatted(value: float, unit: str, decimals: float | None = None) -> str:
    """A number with its unit, as Grafana writes it."""
    if math.isnan(value):
        return "–"
    if unit == "percentunit":
        return f"{value * 100:.{int(decimals or 0)}f} %"
    if unit == "s":
        return duration(value, decimals)
    if unit == "reqps":
        return f"{value:.{int(decimals or 0)}f} /s"
    if unit in ("none", "short"):
        places = decimals if decimals is not None else (0 if value == int(value) else 2)
        return f"{value:.{int(places)}f}"
    raise NotUnderstood(f"the unit {unit}")


def duration(seconds: float, decimals: float | None = None) -> str:
    """Seconds in the largest unit that they fill."""
    for length, name in ((86400, "day"), (3600, "hour"), (60, "min")):
        if abs(seconds) >= length:
            number = f"{seconds / length:.{int(decimals if decimals is not None else 1)}f}"
            return f"{number} {name}{'s' if name != 'min' and number not in ('1', '1.0') else ''}"
    if 0 < abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.{int(decimals or 0)}f} s"
