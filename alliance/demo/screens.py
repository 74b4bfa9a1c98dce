"""Where snapshots are shown: a terminal, or lines in a pipe.

In: one snapshot after another. Out: a screen that lives, or progress lines and the news of flags.
Never: read anything itself.
"""

from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from alliance.demo.snapshot import FlagNews, Phase, Snapshot
from alliance.demo.view import screen, speed

SECONDS_PER_LINE = 2.0
SECONDS_PER_QUIET_LINE = 30.0


class Screen(Protocol):
    """Shows snapshots as long as it is entered."""

    def show(self, snapshot: Snapshot) -> None:
        """Show the newest one."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Terminal:
    """A living screen; what was there before comes back when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._started = monotonic()

    def show(self, snapshot: Snapshot) -> None:
        """Draw it for the terminal as large as it is now."""
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
    """A line now and then; flags as they come once the demonstration is live."""

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
            self._tell(snapshot.news)
        elif snapshot.news:
            self._last_number = snapshot.news[0].number
        if monotonic() >= self._next and snapshot.phase is not Phase.STARTING:
            self._progress(snapshot)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put back."""

    def _begin(self, snapshot: Snapshot) -> None:
        self._phase = snapshot.phase
        self._next = 0.0
        if snapshot.phase is Phase.STARTING:
            self._write(snapshot.practice)
        if snapshot.phase is Phase.HISTORY:
            for place in snapshot.places:
                self._write(f"  {place.name}: {place.url or place.remark}")
            self._write(f"  logs: {snapshot.folder}/logs")
        self._write(f"{snapshot.phase.value}.")

    def _tell(self, news: tuple[FlagNews, ...]) -> None:
        for one in reversed(news):
            if one.number > self._last_number:
                self._write(_line(one))
                self._last_number = one.number

    def _progress(self, snapshot: Snapshot) -> None:
        line = _progress(snapshot)
        self._next = monotonic() + (SECONDS_PER_LINE if line != self._last_progress else SECONDS_PER_QUIET_LINE)
        self._last_progress = line
        self._write(line)


def _progress(snapshot: Snapshot) -> str:
    clock = "" if snapshot.clock is None else f"{snapshot.clock:%d %b %H:%M}  "
    return (
        f"  {clock}{snapshot.sent:,} of {snapshot.to_send:,} events sent, {snapshot.stored:,} stored, "
        f"{snapshot.summarised:,} in summaries; {snapshot.flag_count:,} flags, {snapshot.live_flags:,} still live; "
        f"{speed(snapshot)}"
    )


def _line(one: FlagNews) -> str:
    what = "opened" if one.news == "open" else one.news
    return (
        f"  {one.at:%d %b %H:%M} flag {what}: {one.severity} {one.kind}, {one.therapist} ({one.team}), "
        f"session {one.session_number}. {one.explanation}"
    )
