"""Pictures of flagged cases, for the people who decide about a rule.

In: a backtest and a folder. Out: one PNG a flagged case: scores, the flag's opening and end.
Never: needed by anything else (matplotlib comes with the extra `plots`); a name of a file that tells the case.
"""

from pathlib import Path
from typing import Any

from pipeline.backtest import Backtest
from schemas.flags import Flag


class PlotsUnavailable(Exception):
    """matplotlib is not installed; the message says what to do."""


def plot_flagged(result: Backtest, folder: Path, most: int = 20) -> list[Path]:
    """Draw up to `most` flagged cases, the first flagged first; returns the files, numbered from 1."""
    pyplot = _pyplot()
    folder.mkdir(parents=True, exist_ok=True)
    flags: dict[str, list[Flag]] = {}
    for flag in result.flags:
        flags.setdefault(flag.case_id, []).append(flag)
    files = []
    for number, (case_id, of_case) in enumerate(list(flags.items())[:most], start=1):
        file = folder / f"flagged-{number:03d}.png"
        _draw(pyplot, result.scores[case_id], of_case, file)
        files.append(file)
    return files


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        raise PlotsUnavailable("Plots need matplotlib: pip install 'alliance-monitor[plots]'.") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _draw(pyplot: Any, scores: list[tuple[int, float]], flags: list[Flag], file: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(8, 3.5))
    axes.plot([number for number, _ in scores], [score for _, score in scores], marker="o", color="#335")
    for flag in flags:
        axes.axvline(flag.session_number, color="#c33", linestyle="--")
        axes.annotate(f"{flag.kind}, {flag.severity}", (flag.session_number, 0.02), rotation=90, fontsize=8)
    axes.set(xlabel="session", ylabel="score (share of the range)", ylim=(0, 1.03))
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
