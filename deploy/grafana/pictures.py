"""Writes the pictures in `docs/images/`: `make pictures`.

In: the dashboards' JSON, the simulated practice, a real Prometheus, Chromium. Out: one PNG per dashboard.
Never: real data in a picture.
"""

import json
import tempfile
from pathlib import Path

from deploy.grafana.dashboards.write import FOLDER
from deploy.grafana.drawing.page import page_of
from deploy.grafana.drawing.photo import photograph
from deploy.grafana.panel_queries import Look, everything
from deploy.local.console import announced, run_for_person
from deploy.local.places import ROOT
from deploy.testbed.history import LOOKBACK, NOW, write_history
from deploy.testbed.prometheus import Prometheus

IMAGES = ROOT / "docs" / "images"


def main() -> None:
    """Every dashboard, with "All" chosen in each variable."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prometheus = Prometheus(folder, LOOKBACK)
        with announced("Half a year of a simulated practice into Prometheus"):
            write_history(folder / "history.om")
            prometheus.fill(folder / "history.om")
        with prometheus:
            for path in sorted(FOLDER.glob("*.json")):
                dashboard = json.loads(path.read_text("utf-8"))
                with announced(f"Drawing {path.stem}"):
                    page = page_of(Look(dashboard, NOW, everything(dashboard)), prometheus)
                    photograph(page, IMAGES / f"dashboard-{path.stem}.png", folder)


if __name__ == "__main__":
    run_for_person(main)
