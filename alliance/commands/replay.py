"""`alliance replay --from DATABASE_URL`.

In: the archive of one store; the settings of an empty installation. Out: the archive sent through that installation; a
summary; exit code 0 the archives are equal, 1 they differ, 2 not finished.
Never: begin if the installation is not empty.
"""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from alliance.commands.context import OperatorError, ask_database, effective_settings, engine_of, store_of, with_broker
from pipeline.runtime.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

LOOK_SECONDS = 1.0
BEGIN_AGAIN = (
    "A replay cannot continue half-way. Delete the topics and the database of the target, run "
    "`alliance topics --for-replay`, and begin again."
)


@click.command()
@click.option(
    "--from", "source", required=True, envvar="REPLAY_FROM", metavar="DATABASE_URL", help="The store with the archive."
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Give up after this many seconds without progress.",
)
def replay(source: str, patience: int) -> None:
    """Send a store's archive through this installation, which must be empty; see docs/operations/replay.md."""
    from alliance.replay.archive import event_count
    from alliance.replay.target import obstacle

    settings = effective_settings()
    archive, target = store_of("--from", source), engine_of("ALLIANCE_DATABASE", settings.database)
    found = with_broker(settings, lambda: ask_database("ALLIANCE_DATABASE", lambda: obstacle(settings, target)))
    if found is not None:
        raise OperatorError(found)
    total = ask_database("--from", lambda: event_count(archive))
    began = time.monotonic()
    problem = _send_and_wait(settings, archive, target, total, patience)
    if problem is not None:
        raise OperatorError(problem)
    sys.exit(0 if _report_comparison(archive, target, time.monotonic() - began) else 1)


def _send_and_wait(settings: Settings, archive: "Engine", target: "Engine", total: int, patience: int) -> str | None:
    """Send, then wait until worker and store have finished; a sentence if something went wrong."""
    from alliance.replay.archive import send_archive
    from pipeline.ingest.files.report import progress_bar
    from pipeline.runtime.kafka_clients import close_producer, make_producer

    with progress_bar(Console(stderr=True)) as bar, _noting_interrupts() as interrupted:
        sending = bar.add_task("sent", total=total)
        producer = with_broker(settings, lambda: make_producer(settings))
        sent = send_archive(archive, producer, lambda done: bar.update(sending, completed=done))
        try:
            close_producer(producer, 5.0)
            if sent.why_stopped:
                return f"{sent.why_stopped}. {sent.acknowledged} of {total} events were sent. {BEGIN_AGAIN}"
            return _wait_until_processed(settings, target, bar, patience, interrupted)
        except KeyboardInterrupt:
            return f"Stopped with Ctrl-C. All {total} events were sent, but nothing was compared. {BEGIN_AGAIN}"


@contextmanager
def _noting_interrupts() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets as well as interrupting, because a library may swallow the exception."""
    noted = threading.Event()
    usual = signal.getsignal(signal.SIGINT)

    def note(_: int, __: object) -> None:
        noted.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, usual)


def _wait_until_processed(
    settings: Settings, target: "Engine", bar: Progress, patience: int, interrupted: threading.Event
) -> str | None:
    from alliance.replay.target import backlog

    processing = bar.add_task("processed", total=None)
    done, moved = -1, time.monotonic()
    while True:
        left = backlog(settings, target)
        bar.update(processing, completed=left.done, total=left.done + left.of_worker + left.of_store)
        if left.is_empty:
            return None
        if left.done != done:
            done, moved = left.done, time.monotonic()
        elif time.monotonic() - moved > patience:
            return (
                f"Nothing has moved for {patience} s, with {left.of_worker} records left for the worker and "
                f"{left.of_store} for the store. See whether `alliance worker` and `alliance store` of the target run, "
                f"and what their /health says. {BEGIN_AGAIN}"
            )
        if interrupted.wait(LOOK_SECONDS):
            raise KeyboardInterrupt


def _report_comparison(archive: "Engine", target: "Engine", seconds: float) -> bool:
    """Print the summary; whether the two archives have the same content."""
    from alliance.replay.archive import content_of, flags_of

    sent, received = content_of(archive), content_of(target)
    before, after = flags_of(archive), flags_of(target)
    table = Table("kind", "status", "flags before", "flags after")
    for kind, status in sorted(before | after):
        table.add_row(kind, status, str(before[kind, status]), str(after[kind, status]))
    console = Console()
    console.print(table)
    click.echo(f"events sent {sent.events}, in the new archive {received.events}, {seconds:.1f} s")
    if sent == received:
        click.echo("the archives are equal: the same events with the same content")
        return True
    click.echo(
        "The archives differ. Look at `alliance rejected list` of the target, and check whether something else was "
        "sent to one of them meanwhile."
    )
    return False
