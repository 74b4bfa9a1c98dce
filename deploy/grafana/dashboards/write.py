"""Writes the dashboards' JSON: `python -m deploy.grafana.dashboards.write`.

In: the modules beside it. Out: one file per dashboard in `json/`, and no other file there.
Never: a file that differs between two runs.
"""

from pathlib import Path

from deploy.grafana.dashboards.flags import flags
from deploy.grafana.dashboards.page import json_of
from deploy.grafana.dashboards.pipeline import pipeline
from deploy.grafana.dashboards.practice import practice
from deploy.grafana.dashboards.quality import quality
from deploy.grafana.dashboards.therapists import therapists

FOLDER = Path(__file__).parent / "json"
DASHBOARDS = {
    "practice": practice,
    "therapists": therapists,
    "flags": flags,
    "quality": quality,
    "pipeline": pipeline,
}


def files() -> dict[str, str]:
    """File names and contents."""
    return {f"{name}.json": json_of(make()) for name, make in DASHBOARDS.items()}


def write(folder: Path = FOLDER) -> None:
    """Make the folder hold these files and nothing else."""
    folder.mkdir(exist_ok=True)
    wanted = files()
    for stale in folder.iterdir():
        if stale.name not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
