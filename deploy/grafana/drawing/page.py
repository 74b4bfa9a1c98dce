"""A whole dashboard as one HTML page that needs nothing else.

In: a look, and a Prometheus. Out: HTML and its size.
Never: a script, a font or a picture from elsewhere.
"""

from dataclasses import dataclass
from html import escape

from deploy.grafana.drawing.panels import Box, draw
from deploy.grafana.panel_queries import ALL, Look, variables_of
from deploy.testbed.prometheus import Prometheus

COLUMN, ROW, GAP, HEAD, MARGIN = 54, 34, 8, 30, 12
TOP = 92
STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: #F4F5F5; color: #222; font: 13px 'DejaVu Sans', sans-serif; }
header { position: absolute; left: 12px; right: 12px; top: 8px; }
h1 { font-size: 19px; margin: 0 0 4px; } header p { margin: 0 0 6px; color: #555; }
.chosen span { background: #fff; border: 1px solid #CCC; padding: 2px 8px; margin-right: 6px; }
.preview { float: right; color: #7A4E2D; }
section { position: absolute; background: #fff; border: 1px solid #D8D8D8; border-radius: 2px; overflow: hidden; }
h2 { font-size: 13px; font-weight: 600; margin: 7px 10px 0; height: 22px; white-space: nowrap; } 
h2 i { display: inline-block; width: 14px; height: 14px; border: 1px solid #AAA; border-radius: 7px; color: #888;
  font: 10px/12px 'DejaVu Sans'; text-align: center; vertical-align: 1px; }
.inside { position: absolute; left: 6px; right: 6px; top: 30px; bottom: 4px; overflow: hidden; }
svg text { font-size: 11px; }
.stat { display: flex; flex-direction: column; height: 100%; justify-content: space-evenly; text-align: center; }
.value b { display: block; font-size: 17px; } .value:first-child b { font-size: 29px; }
.value i { font-style: normal; color: #666; font-size: 12px; }
.legend { position: absolute; left: 8px; bottom: 2px; font-size: 12px; color: #333; line-height: 22px; }
.legend span { margin-right: 14px; white-space: nowrap; display: inline-block; }
.below { text-align: center; color: #444; font-size: 12px; }
table { border-collapse: collapse; width: 100%; font-size: 12.5px; }
th { text-align: right; color: #3A5A92; font-weight: 600; border-bottom: 1px solid #CCC; padding: 4px 8px; }
td { text-align: right; padding: 3.2px 8px; border-bottom: 1px solid #EEE; }
th.key, td.key { text-align: left; } td.link { color: #1F60C4; text-decoration: underline; }
.words { padding: 2px 8px; line-height: 1.5; } .words p { margin: 0 0 8px; }
.nothing { color: #777; text-align: center; padding-top: 30px; }
"""


@dataclass(frozen=True)
class Page:
    """A page and how large it is."""

    html: str
    width: int
    height: int


def page_of(look: Look, prometheus: Prometheus) -> Page:
    """Every panel of the dashboard, drawn from what Prometheus answers."""
    panels = look.dashboard["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    width, height = 24 * COLUMN + 2 * MARGIN, TOP + rows * ROW + MARGIN
    inside = "".join(_section(panel, look, prometheus) for panel in panels)
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(look.dashboard["title"])}</title>'
        f"<style>{STYLE}</style></head><body>{_header(look)}{inside}</body></html>"
    )
    return Page(html, width, height)


def _header(look: Look) -> str:
    chosen = ["Data source: <b>Prometheus</b>"]
    for variable in variables_of(look.dashboard):
        value = look.chosen[variable["name"]]
        written = "All" if value in (ALL, variable["allValue"]) else value
        chosen.append(f"{escape(variable['label'])}: <b>{escape(written)}</b>")
    chosen.append(f"{look.start:%d %b %H:%M} – {look.now:%d %b %Y %H:%M} UTC")
    return (
        f'<header><span class="preview">Preview drawn without Grafana; simulated data</span>'
        f"<h1>{escape(look.dashboard['title'])}</h1><p>{escape(look.dashboard['description'])}</p>"
        f'<div class="chosen">{"".join(f"<span>{text}</span>" for text in chosen)}</div></header>'
    )


def _section(panel: dict[str, object], look: Look, prometheus: Prometheus) -> str:
    place: dict[str, int] = panel["gridPos"]  # type: ignore[assignment]
    left, top = MARGIN + place["x"] * COLUMN, TOP + place["y"] * ROW
    width, height = place["w"] * COLUMN - GAP, place["h"] * ROW - GAP
    box = Box(panel, look.answers(prometheus, panel), look, width - 14, height - HEAD - 6)
    return (
        f'<section style="left:{left}px;top:{top}px;width:{width}px;height:{height}px">'
        f'<h2>{escape(str(panel["title"]))} <i>i</i></h2><div class="inside">{draw(box)}</div></section>'
    )
