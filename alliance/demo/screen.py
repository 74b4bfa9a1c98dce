"""Where snapshots are shown: the live view in a terminal, or lines in a pipe.

In: one `Snapshot` after another. Out: a drawn screen, or lines of progress and changes of flags.
Never: a case or a client (a snapshot has none); an order of therapists other than that of their pseudonyms; a mean
without the number of clients behind it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alliance.demo.snapshot import Endpoint, FlagUpdate, Latency, Phase, PublishedTherapist, Snapshot
from schemas.flags import SEVERITIES

#: Between two lines in a pipe: with progress, and without.
SECONDS_PER_LINE = 2.0
SECONDS_PER_QUIET_LINE = 30.0
#: From this width on flags and therapists are shown side by side.
SIDE_BY_SIDE = 130
THERAPIST_WIDTH = 53
#: Below this height remarks are left out.
LOW = 34
STATUS_ROWS = 9
SECONDS_PER_PAGE = 6

_SEVERITY_STYLE = {"watch": "yellow", "warning": "dark_orange", "urgent": "bold red"}
_CHANGE_STYLE = {
    "open": "bold",
    "acknowledged": "cyan",
    "discussed": "cyan",
    "repaired": "bold green",
    "unrepaired": "magenta",
    "retracted": "dim",
}
#: The change by which a flag opens; only then the line says why.
OPENED = "open"
_HEADING = Text("therapist team     mean   n check-ins  urg war wat", style="dim", no_wrap=True)
NOTES = (
    "n: clients behind the mean (0-1); -: too few",
    "check-ins: of sessions held in the last 28 days",
    "urg war wat: clients with a flag, by severity",
)
_HEALTH_STYLE = {"ok": "green", "starting": "yellow"}


class Screen(Protocol):
    """Shows snapshots as long as it is entered."""

    def show(self, snapshot: Snapshot) -> None:
        """Show this snapshot instead of the one before."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Terminal:
    """The live view; what the terminal showed before comes back at its end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._started = monotonic()

    def show(self, snapshot: Snapshot) -> None:
        """Draw it in the terminal's present size."""
        size = self._console.size
        self._live.update(
            screen(snapshot, size.width, size.height, monotonic() - self._started),
            refresh=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


class Lines:
    """A line of progress every few seconds; each change of a flag once the demonstration is live."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._phase: Phase | None = None
        self._next = 0.0
        self._last_number = 0
        self._last_progress = ""

    def show(self, snapshot: Snapshot) -> None:
        """Write what is due."""
        if snapshot.phase is not self._phase:
            self._begin(snapshot)
        if snapshot.phase in (Phase.LIVE, Phase.TODAY):
            self._write_updates(snapshot.flag_updates)
        elif snapshot.flag_updates:
            self._last_number = snapshot.flag_updates[0].number
        if monotonic() >= self._next and snapshot.phase is not Phase.STARTING:
            self._write_progress(snapshot)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to restore."""

    def _begin(self, snapshot: Snapshot) -> None:
        self._phase = snapshot.phase
        self._next = 0.0
        if snapshot.phase is Phase.STARTING:
            self._write(snapshot.practice)
        if snapshot.phase is Phase.HISTORY:
            for endpoint in snapshot.endpoints:
                self._write(f"  {endpoint.name}: {endpoint.url or endpoint.remark}")
            self._write(f"  logs: {snapshot.folder}/logs")
        self._write(f"{snapshot.phase.value}.")

    def _write_updates(self, updates: tuple[FlagUpdate, ...]) -> None:
        for update in reversed(updates):
            if update.number > self._last_number:
                self._write(_update_line(update))
                self._last_number = update.number

    def _write_progress(self, snapshot: Snapshot) -> None:
        line = _progress_line(snapshot)
        self._next = monotonic() + (SECONDS_PER_LINE if line != self._last_progress else SECONDS_PER_QUIET_LINE)
        self._last_progress = line
        self._write(line)


def screen(snapshot: Snapshot, width: int, height: int, second: float = 0.0) -> RenderableType:
    """The whole screen; `second` turns the pages of a list that is longer than the screen."""
    is_low = height < LOW
    lower_rows = endpoint_rows(snapshot.endpoints, is_low)
    body_rows = max(8, height - STATUS_ROWS - lower_rows)
    layout = Layout()
    layout.split_column(
        Layout(status(snapshot), size=STATUS_ROWS),
        Layout(_body(snapshot, width, body_rows, second, NOTES[:1] if is_low else NOTES), size=body_rows),
        Layout(endpoints(snapshot.endpoints, snapshot.folder, is_low), size=lower_rows),
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
    """The phase, the progress, the speed."""
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
    """Events a second; how long one event takes only in the live weeks, when events do not wait in a queue."""
    text = f"{snapshot.per_second:,.0f} events/s"
    if snapshot.phase not in (Phase.LIVE, Phase.TODAY):
        return text
    row, flag = _latency(snapshot.to_row), _latency(snapshot.to_flag)
    return f"{text}; accepted to row {row}, to flag {flag}"


def _latency(latency: Latency | None) -> str:
    return "-" if latency is None else f"p50 {_seconds(latency.p50)} p99 {_seconds(latency.p99)}"


def flags(snapshot: Snapshot, width: int, rows: int) -> RenderableType:
    """The newest changes, as many as fit."""
    title = f"Flags: {snapshot.flag_count:,} so far, {snapshot.live_flags:,} of them still live; the newest first"
    rows_left, lines = rows - 2, []
    for update in snapshot.flag_updates:
        rows_left -= 1 if update.change != OPENED else 1 + -(-len(update.explanation) // max(20, width - 10))
        if rows_left < 0:
            break
        lines.append(_flag(update))
    return Panel(Group(*lines) if lines else Text("None yet.", style="dim"), title=title, title_align="left")


def _flag(update: FlagUpdate) -> RenderableType:
    """One line; where a flag opens also why."""
    head = Text.assemble(
        (f"{_moment(update.at)}  ", "dim"),
        (f"{'opened' if update.change == OPENED else update.change:<12} ", _CHANGE_STYLE.get(update.change, "")),
        (f"{update.severity:<7} ", _SEVERITY_STYLE[update.severity]),
        f"{update.kind:<11} {update.therapist} ({update.team}), session {update.session_number}",
        no_wrap=True,
        overflow="ellipsis",
    )
    if update.change != OPENED:
        return head
    return Group(head, Padding(Text(update.explanation, style="dim"), (0, 0, 0, 4)))


def therapists(
    lines: Sequence[PublishedTherapist], width: int, rows: int, second: float, notes: Sequence[str] = NOTES
) -> RenderableType:
    """As many therapists as fit; the others on the next pages, which turn by themselves."""
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


def _therapist(therapist: PublishedTherapist) -> Text:
    mean, n = ("-", "-") if therapist.mean is None else (f"{therapist.mean:.2f}", str(therapist.scored_cases))
    share = f"{therapist.checkins_completed}/{therapist.sessions_held}"
    text = Text(f"{therapist.therapist:<9.9} {therapist.team:<8.8} {mean:>4} {n:>3} {share:>9} ", no_wrap=True)
    for severity in reversed(SEVERITIES):
        count = therapist.open_flags.get(severity, 0)
        text.append(f"{count or '-':>4}", style=_SEVERITY_STYLE[severity] if count else "dim")
    return text


def endpoints(known: Sequence[Endpoint], folder: str, is_low: bool = False) -> RenderableType:
    """The address of each process, two in a row; then, on a high screen, remarks and where the logs are."""
    table = Table.grid(padding=(0, 2))
    cells = [_endpoint(endpoint) for endpoint in known if endpoint.url]
    for start in range(0, len(cells), 2):
        table.add_row(*[text for cell in cells[start : start + 2] for text in cell])
    remarks = [f"{endpoint.name}: {endpoint.remark}" for endpoint in known if endpoint.remark]
    notes = [Text(text, style="dim", no_wrap=True, overflow="ellipsis") for text in [*remarks, f"logs: {folder}/logs"]]
    return Panel(Group(table, *([] if is_low else notes)), title="Processes", title_align="left")


def _endpoint(endpoint: Endpoint) -> tuple[Text, Text, Text]:
    health = Text(endpoint.health, style=_HEALTH_STYLE.get(endpoint.health, "red"))
    return Text(endpoint.name), health, Text(endpoint.url)


def endpoint_rows(known: Sequence[Endpoint], is_low: bool = False) -> int:
    """Rows that `endpoints` needs."""
    addresses = sum(bool(endpoint.url) for endpoint in known)
    remarks = sum(bool(endpoint.remark) for endpoint in known) + 1
    return 2 + -(-addresses // 2) + (0 if is_low else remarks)


def _clock(clock: datetime | None) -> tuple[str, str]:
    return ("", "") if clock is None else (f"  {_moment(clock)} UTC", "")


def _moment(at: datetime) -> str:
    return f"{at:%a %d %b %H:%M}"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _progress_line(snapshot: Snapshot) -> str:
    clock = "" if snapshot.clock is None else f"{snapshot.clock:%d %b %H:%M}  "
    return (
        f"  {clock}{snapshot.sent:,} of {snapshot.to_send:,} events sent, {snapshot.stored:,} stored, "
        f"{snapshot.summarised:,} in summaries; {snapshot.flag_count:,} flags, {snapshot.live_flags:,} still live; "
        f"{speed(snapshot)}"
    )


def _update_line(update: FlagUpdate) -> str:
    change = "opened" if update.change == OPENED else update.change
    return (
        f"  {update.at:%d %b %H:%M} flag {change}: {update.severity} {update.kind}, "
        f"{update.therapist} ({update.team}), session {update.session_number}. {update.explanation}"
    )
