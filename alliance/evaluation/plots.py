"""Plots of flagged cases, for people who decide about a rule.

In: a backtest and a folder. Out: one PNG for each flagged case: scores beside what was expected, sessions without a
check-in, missed appointments, answers on a reversed scale, and each flag from its opening to its end.
Never: needed by anything else (matplotlib comes with the extra `plots`); a file name or a word in a picture that
identifies the case (a flag's id leads to its line in the file of flags).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from textwrap import fill
from typing import Any

from alliance.evaluation.backtest import Backtest, folded, numbered_visits
from pipeline.core.detection.history import Point
from pipeline.core.instants import to_us
from pipeline.core.records import CLIENT, CheckinRecord, MissedRecord, Record
from schemas.flags import LIVE_STATUSES, Flag

#: Okabe and Ito's colours, which colour-blind people can distinguish; each mark also has its own shape.
_BLUE, _ORANGE, _RED, _GREEN, _PURPLE, _GREY = "#0072B2", "#E69F00", "#D55E00", "#009E73", "#AA4499", "#555555"
#: The height of marks that have no score.
_BOTTOM = 0.025
#: More explanations than this leave no space for the plot.
_MOST_EXPLAINED = 4
_WIDTH_INCHES, _HEIGHT_INCHES, _LETTERS = 10.0, 5.0, 140


class PlotsUnavailable(Exception):
    """matplotlib is not installed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class FlagSpan:
    """A flag on the axis of sessions; without an `end` the flag is still live."""

    flag: Flag
    start: float
    end: float | None


@dataclass(slots=True)
class Picture:
    """What is drawn of one case, by session number; events between two sessions are drawn between them."""

    spans: list[FlagSpan]
    points: list[Point]
    #: SD of scores within a case; half the height of the band.
    within_sd: float
    sessions: int
    therapist: list[tuple[int, float]] = field(default_factory=list)
    #: Client check-ins, not perfect, whose answers are all the same or the same as last time.
    invariant: list[tuple[int, float]] = field(default_factory=list)
    #: Sessions held without a client check-in; with a check-in that has no score.
    without_checkin: list[int] = field(default_factory=list)
    without_score: list[int] = field(default_factory=list)
    missed_by_client: list[float] = field(default_factory=list)
    missed_otherwise: list[float] = field(default_factory=list)


def plot_flagged(result: Backtest, folder: Path, most: int = 20) -> list[Path]:
    """Draw up to `most` flagged cases, the first flagged first, and remove what an earlier run drew; the files."""
    flags: dict[str, list[Flag]] = {}
    for flag in result.flags:
        flags.setdefault(flag.case_id, []).append(flag)
    plots = pyplot()
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, (case_id, of_case) in enumerate(list(flags.items())[:most], start=1):
        file = folder / f"flagged-{number:03d}.png"
        figure = drawn(picture_of(result, case_id, of_case))
        figure.savefig(file, dpi=110)
        plots.close(figure)
        files.append(file)
    for earlier in {*folder.glob("flagged-[0-9][0-9][0-9].png"), *folder.glob("flagged-[0-9][0-9][0-9][0-9].png")}:
        if earlier not in files:
            earlier.unlink()
    return files


def pyplot() -> Any:
    """matplotlib without a display, or PlotsUnavailable."""
    try:
        import matplotlib
    except ImportError as error:
        raise PlotsUnavailable("Plots need matplotlib: pip install 'alliance-monitor[plots]'.") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def picture_of(result: Backtest, case_id: str, flags: Sequence[Flag]) -> Picture:
    """What to draw of a case."""
    records = result.histories.cases[case_id]
    timeline = folded(case_id, records, result.models, sensitivity=result.sensitivity)
    visits = numbered_visits(records)
    sessions = max((number for number, _ in visits), default=0)
    picture = Picture([], timeline.history.points, timeline.history.model.prior.within_sd, sessions)
    missed_before: Counter[int] = Counter()
    unseen = set(range(1, sessions + 1))
    pattern = 0
    for number, record in visits:
        if isinstance(record, MissedRecord):
            missed_before[number] += 1
            marks = picture.missed_by_client if record.by == "client" else picture.missed_otherwise
            marks.append(_after(number, missed_before[number]))
        elif isinstance(record, CheckinRecord) and record.rater == CLIENT:
            unseen.discard(number)
            if record.total is None:
                picture.without_score.append(number)
                continue
            if not record.perfect and (record.straight_lined or record.pattern == pattern):
                picture.invariant.append((number, record.total))
            pattern = record.pattern
        elif isinstance(record, CheckinRecord) and record.total is not None:
            picture.therapist.append((number, record.total))
    picture.without_checkin = sorted(unseen)
    picture.spans = [_span(flag, visits) for flag in flags]
    return picture


def _after(number: int, place: int) -> float:
    """Between this session and the next: later events further to the right."""
    return number + place / (place + 1)


def _span(flag: Flag, visits: Sequence[tuple[int, Record]]) -> FlagSpan:
    end = None if flag.status in LIVE_STATUSES or flag.closed_at is None else _place(to_us(flag.closed_at), visits)
    start = _place(to_us(flag.opened_at), visits)
    return FlagSpan(flag, start, end if end is None or end > start else start + 0.5)


def _place(at: int, visits: Sequence[tuple[int, Record]]) -> float:
    """The session of this instant, or half a session later if it is after the session's check-ins."""
    before = [(number, record) for number, record in visits if record.at <= at]
    if not before:
        return 0.5
    number, latest = before[-1]
    return number if latest.at == at and not isinstance(latest, MissedRecord) else number + 0.5


def drawn(picture: Picture) -> Any:
    """The figure."""
    figure, axes = pyplot().subplots(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), layout="constrained")
    last = _last_place(picture) + 0.4
    _draw_expected(axes, picture)
    _draw_spans(axes, picture, last)
    _draw_scores(axes, picture)
    _draw_marks(axes, picture)
    if not picture.points:
        axes.text(0.5, 0.5, "no scored check-in of the client", transform=axes.transAxes, ha="center", color=_GREY)
    axes.set(xlabel="session", ylabel="score (share of the range)", xlim=(0.3, last), ylim=(0, 1))
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1, nbins=15, steps=[1, 2, 5, 10])
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    figure.suptitle(_caption(picture.spans), x=0.01, ha="left", fontsize=9, parse_math=False)
    return figure


def _last_place(picture: Picture) -> float:
    ends = [place for span in picture.spans for place in (span.start, span.end or span.start)]
    return max([1.0, picture.sessions, *ends, *picture.missed_by_client, *picture.missed_otherwise])


def _draw_expected(axes: Any, picture: Picture) -> None:
    if not picture.points:
        return
    numbers = [float(point.session_number) for point in picture.points]
    expected = [min(point.expected, 1.0) for point in picture.points]
    low = [max(score - picture.within_sd, 0.0) for score in expected]
    high = [min(score + picture.within_sd, 1.0) for score in expected]
    if len(numbers) == 1:
        # A band needs a width.
        numbers, expected, low, high = [numbers[0] - 0.3, numbers[0] + 0.3], expected * 2, low * 2, high * 2
    axes.fill_between(
        numbers, low, high, color=_BLUE, alpha=0.15, linewidth=0, label="usual range within a case (± 1 SD)"
    )
    axes.plot(numbers, expected, color=_GREY, linestyle="--", linewidth=1.2, label="expected score")


def _draw_spans(axes: Any, picture: Picture, last: float) -> None:
    labels: set[str] = set()

    def once(label: str) -> str | None:
        is_new = label not in labels
        labels.add(label)
        return label if is_new else None

    for number, span in enumerate(picture.spans, start=1):
        end = last if span.end is None else span.end
        axes.axvspan(span.start, end, color=_ORANGE, alpha=0.15, linewidth=0, label=once("flag is open"))
        axes.axvline(span.start, color=_RED, linewidth=1.8, label=once("flag opens"))
        if span.end is not None:
            axes.axvline(end, color=_GREEN, linewidth=1.8, linestyle=":", label=once("flag ends"))
        axes.annotate(
            str(number),
            (span.start, 1.0),
            xytext=(0, 12),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=9,
            color="white",
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": _RED, "edgecolor": "none"},
            annotation_clip=False,
        )


def _draw_scores(axes: Any, picture: Picture) -> None:
    def marks(points: Sequence[tuple[float, float]], label: str, **style: Any) -> None:
        if points:
            style = {"linestyle": "none", "clip_on": False, "zorder": 3, **style}
            axes.plot([x for x, _ in points], [y for _, y in points], label=label, **style)

    usual = [(point.session_number, point.score) for point in picture.points if not point.is_scale_reversed]
    on_reversed_scale = [(point.session_number, point.score) for point in picture.points if point.is_scale_reversed]
    for (x, y), (then, there) in pairwise(usual):
        # Dotted over sessions without a check-in: there the line shows nothing that was measured.
        axes.plot([x, then], [y, there], color=_BLUE, linewidth=1.5, linestyle="-" if then - x <= 1 else ":")
    marks(picture.therapist, "therapist's own rating", color=_PURPLE, marker="d", mfc="none")
    marks(usual, "client's score", color=_BLUE, marker="o")
    marks(picture.invariant, "all answers the same, or as last time", color="black", marker="s", mfc="none", ms=12)
    marks(on_reversed_scale, "probably on a reversed scale", color=_BLUE, marker="o", mfc="white", ms=9, mew=1.8)


def _draw_marks(axes: Any, picture: Picture) -> None:
    for places, label, style in (
        (picture.without_checkin, "session without a client check-in", {"marker": "^", "mfc": "white", "color": _GREY}),
        (picture.without_score, "check-in without a score", {"marker": "s", "mfc": "white", "color": _GREY}),
        (picture.missed_by_client, "appointment missed by the client", {"marker": "x", "mew": 2, "color": _RED}),
        (picture.missed_otherwise, "appointment missed, not by the client", {"marker": "+", "mew": 2, "color": _GREY}),
    ):
        if places:
            axes.plot(
                places,
                [_BOTTOM] * len(places),
                label=label,
                linestyle="none",
                markersize=8,
                zorder=4,
                clip_on=False,
                **style,
            )


def _caption(spans: Sequence[FlagSpan]) -> str:
    """The explanation of each flag, in the order of their numbers."""
    lines = []
    for number, span in enumerate(spans[:_MOST_EXPLAINED], start=1):
        flag = span.flag
        end = "still open" if span.end is None else flag.status
        lines.append(
            f"{number}  {flag.kind}, {flag.severity}, opened at session {flag.session_number}; {end}  ({flag.flag_id})"
        )
        lines.append(fill(flag.explanation, _LETTERS, initial_indent="    ", subsequent_indent="    "))
    if len(spans) > _MOST_EXPLAINED:
        lines.append(f"… and {len(spans) - _MOST_EXPLAINED} more")
    return "\n".join(lines)
