"""The screen of the demonstration, drawn from a snapshot. Pure.

In: a `Snapshot` and the size of the terminal. Out: something `rich` can print.
Never: a case or a client (a snapshot has none); an order of therapists other than that of their pseudonyms; a mean
without the number of clients behind it.
"""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alliance.demo.snapshot import FlagNews, Latency, Phase, Place, Snapshot, TherapistLine
from schemas.flags import SEVERITIES

#: From this width on flags and therapists stand side by side.
SIDE_BY_SIDE = 130
THERAPIST_WIDTH = 53
#: Below this height there is no room for remarks.
LOW = 34
STATUS_ROWS = 9
SECONDS_PER_PAGE = 6

_SEVERITY_STYLE = {"watch": "yellow", "warning": "dark_orange", "urgent": "bold red"}
_NEWS_STYLE = {
    "open": "bold",
    "acknowledged": "cyan",
    "discussed": "cyan",
    "repaired": "bold green",
    "unrepaired": "magenta",
    "retracted": "dim",
}
#: The news that a flag has opened; only then the line says why.
OPENED = "open"
_HEADING = Text("therapist team     mean   n check-ins  urg war wat", style="dim", no_wrap=True)
NOTES = (
    "n: clients behind the mean (0-1); -: too few",
    "check-ins: of sessions held in the last 28 days",
    "urg war wat: clients with a flag, by severity",
)
_HEALTH_STYLE = {"ok": "green", "starting": "yellow"}


def screen(snapshot: Snapshot, width: int, height: int, second: float = 0.0) -> RenderableType:
    """The whole screen; `second` turns the pages of a list that is longer than its place."""
    is_low = height < LOW
    lower_rows = places_rows(snapshot.places, is_low)
    body_rows = max(8, height - STATUS_ROWS - lower_rows)
    layout = Layout()
    layout.split_column(
        Layout(status(snapshot), size=STATUS_ROWS),
        Layout(_body(snapshot, width, body_rows, second, NOTES[:1] if is_low else NOTES), size=body_rows),
        Layout(places(snapshot.places, snapshot.folder, is_low), size=lower_rows),
    )
    return layout


def _body(snapshot: Snapshot, width: int, rows: int, second: float, notes: Sequence[str]) -> Layout:
    body = Layout()
    if width >= SIDE_BY_SIDE:
        side = max(1, width // 2 // THERAPIST_WIDTH) * THERAPIST_WIDTH + 4
        body.split_row(
            Layout(flags(snapshot, width - side, rows)),
            Layout(therapists(snapshot.therapists, side, rows, second, notes), size=side),
        )
    else:
        upper = rows // 2
        body.split_column(
            Layout(flags(snapshot, width, upper), size=upper),
            Layout(therapists(snapshot.therapists, width, rows - upper, second, notes)),
        )
    return body


def status(snapshot: Snapshot) -> RenderableType:
    """What is going on, how far it is, how quick."""
    progress = Table.grid(padding=(0, 1))
    progress.add_column(width=13)
    progress.add_column(width=40)
    progress.add_column()
    for name, done, total in (
        ("events sent", snapshot.sent, snapshot.to_send),
        ("events stored", snapshot.stored, snapshot.to_store),
        ("in summaries", snapshot.summarised, snapshot.to_store),
    ):
        progress.add_row(name, ProgressBar(total=total or 1, completed=done), f"{done:,} of {total:,}")
    lines = Group(
        Text(snapshot.practice, style="dim", no_wrap=True, overflow="ellipsis"),
        Text.assemble((snapshot.phase.value, "bold"), _clock(snapshot.clock), no_wrap=True, overflow="ellipsis"),
        progress,
        Text(speed(snapshot), no_wrap=True, overflow="ellipsis"),
        Text(_remarks(snapshot), style="dim", no_wrap=True, overflow="ellipsis"),
    )
    return Panel(
        lines,
        title="Alliance Monitor: demonstration",
        title_align="left",
        subtitle="Ctrl-C ends it",
        subtitle_align="right",
    )


def _remarks(snapshot: Snapshot) -> str:
    return (
        f"{snapshot.duplicates:,} events are sent twice on purpose and stored once; {snapshot.refused:,} were refused; "
        f"{snapshot.supervised:,} came from the supervisor"
    )


def speed(snapshot: Snapshot) -> str:
    """How quick it is; how long one event takes only once they no longer queue."""
    text = f"{snapshot.per_second:,.0f} events/s"
    if snapshot.phase not in (Phase.LIVE, Phase.TODAY):
        return text
    row, flag = _latency(snapshot.to_row), _latency(snapshot.to_flag)
    return f"{text}; accepted to row {row}, to flag {flag}"


def _latency(one: Latency | None) -> str:
    return "-" if one is None else f"p50 {_seconds(one.p50)} p99 {_seconds(one.p99)}"


def flags(snapshot: Snapshot, width: int, rows: int) -> RenderableType:
    """The newest lines, as many as there is room for."""
    title = f"Flags: {snapshot.flag_count:,} so far, {snapshot.live_flags:,} of them still live; the newest first"
    room, lines = rows - 2, []
    for one in snapshot.news:
        room -= 1 if one.news != OPENED else 1 + -(-len(one.explanation) // max(20, width - 10))
        if room < 0:
            break
        lines.append(_flag(one))
    return Panel(Group(*lines) if lines else Text("None yet.", style="dim"), title=title, title_align="left")


def _flag(one: FlagNews) -> RenderableType:
    """One line; where a flag opens also why."""
    head = Text.assemble(
        (f"{_moment(one.at)}  ", "dim"),
        (f"{'opened' if one.news == OPENED else one.news:<12} ", _NEWS_STYLE.get(one.news, "")),
        (f"{one.severity:<7} ", _SEVERITY_STYLE[one.severity]),
        f"{one.kind:<11} {one.therapist} ({one.team}), session {one.session_number}",
        no_wrap=True,
        overflow="ellipsis",
    )
    return head if one.news != OPENED else Group(head, Padding(Text(one.explanation, style="dim"), (0, 0, 0, 4)))


def therapists(
    lines: Sequence[TherapistLine], width: int, rows: int, second: float, notes: Sequence[str] = NOTES
) -> RenderableType:
    """As many therapists as there is room for; the others on the next pages, which turn by themselves."""
    across = max(1, (width - 4) // THERAPIST_WIDTH)
    down = max(1, rows - 2 - 1 - len(notes))
    pages = max(1, -(-len(lines) // (across * down)))
    page = int(second // SECONDS_PER_PAGE) % pages
    shown = lines[page * across * down : (page + 1) * across * down]
    columns = [
        Text("\n").join([_HEADING, *map(_therapist, shown[start : start + down])])
        for start in range(0, max(1, len(shown)), down)
    ]
    grid = Table.grid(padding=(0, 3))
    grid.add_row(*columns)
    title = f"Therapists, page {page + 1} of {pages}" if pages > 1 else "Therapists"
    return Panel(Group(grid, *[Text(note, style="dim") for note in notes]), title=title, title_align="left")


def _therapist(one: TherapistLine) -> Text:
    mean, n = ("-", "-") if one.mean is None else (f"{one.mean:.2f}", str(one.scored_cases))
    share = f"{one.checkins_completed}/{one.sessions_held}"
    text = Text(f"{one.therapist:<9.9} {one.team:<8.8} {mean:>4} {n:>3} {share:>9} ", no_wrap=True)
    for severity in reversed(SEVERITIES):
        count = one.open_flags.get(severity, 0)
        text.append(f"{count or '-':>4}", style=_SEVERITY_STYLE[severity] if count else "dim")
    return text


def places(known: Sequence[Place], folder: str, is_low: bool = False) -> RenderableType:
    """Where to look at each process, two in a row; then, if there is room, remarks and where the logs are."""
    table = Table.grid(padding=(0, 2))
    cells = [_place(place) for place in known if place.url]
    for start in range(0, len(cells), 2):
        table.add_row(*[text for cell in cells[start : start + 2] for text in cell])
    remarks = [f"{place.name}: {place.remark}" for place in known if place.remark] + [f"logs: {folder}/logs"]
    notes = [Text(text, style="dim", no_wrap=True, overflow="ellipsis") for text in remarks]
    return Panel(Group(table, *([] if is_low else notes)), title="Processes", title_align="left")


def _place(place: Place) -> tuple[Text, Text, Text]:
    return Text(place.name), Text(place.health, style=_HEALTH_STYLE.get(place.health, "red")), Text(place.url)


def places_rows(known: Sequence[Place], is_low: bool = False) -> int:
    """Rows that `places` takes."""
    addresses = sum(bool(place.url) for place in known)
    remarks = sum(bool(place.remark) for place in known) + 1
    return 2 + -(-addresses // 2) + (0 if is_low else remarks)


def _clock(clock: datetime | None) -> tuple[str, str]:
    return ("", "") if clock is None else (f"  {_moment(clock)} UTC", "")


def _moment(at: datetime) -> str:
    return f"{at:%a %d %b %H:%M}"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
