"""`alliance replay --from DATABASE_URL`.

In: the archive of one store; the settings of an empty installation. Out: the archive gone through that installation; a
summary; exit code 0 the archives are equal, 1 they differ, 2 not finished.
"""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import Engine

from alliance.commands.context import OperatorError, answered, effective_settings, engine_of, store_of, with_broker
from pipeline.runtime.settings import Settings

LOOK_SECONDS = 1.0
BEGIN_ANEW = (
    "A replay cannot go on half-way: delete the topics and the database of the target, "
    "`alliance topics --for-replay`, and begin anew"
)


@click.command()
@click.option(
    "--from", "source", required=True, envvar="REPLAY_FROM", metavar="DATABASE_URL", help="The store with the archive."
)
@click.option(
    "--patience", type=click.IntRange(min=1), default=60, show_default=True, help="Seconds without any progress."
)
def replay(source: str, patience: int) -> None:
    """Send a store's archive through this installation, which must be empty; see docs/operations/replay.md."""
    from alliance.replay.archive import archived
    from alliance.replay.target import obstacle

    settings = effective_settings()
    archive, target = store_of("--from", source), engine_of("ALLIANCE_DATABASE", settings.database)
    stands_in_the_way = with_broker(settings, lambda: answered("ALLIANCE_DATABASE", lambda: obstacle(settings, target)))
    if stands_in_the_way is not None:
        raise OperatorError(stands_in_the_way)
    total = answered("--from", lambda: archived(archive))
    began = time.monotonic()
    problem = _go_through(settings, archive, target, total, patience)
    if problem is not None:
        raise OperatorError(problem)
    sys.exit(0 if _told(archive, target, time.monotonic() - began) else 1)


def _go_through(settings: Settings, archive: Engine, target: Engine, total: int, patience: int) -> str | None:
    """Send, then wait until worker and store are through; what went wrong, in a sentence."""
    from alliance.replay.archive import send_archive
    from pipeline.ingest.files.report import progress_bar
    from pipeline.runtime.kafka_clients import close_producer, make_producer

    with progress_bar(Console(stderr=True)) as bar, _noticing_interrupts() as interrupted:
        sending = bar.add_task("sent", total=total)
        producer = with_broker(settings, lambda: make_producer(settings))
        sent = send_archive(archive, producer, lambda done: bar.update(sending, completed=done))
        try:
            close_producer(producer, 5.0)
            if sent.why_stopped:
                return f"{sent.why_stopped}; {sent.acknowledged} of {total} events are sent. {BEGIN_ANEW}."
            return _wait_until_processed(settings, target, bar, patience, interrupted)
        except KeyboardInterrupt:
            return f"Stopped by hand; all {total} events are sent, but nothing was compared. {BEGIN_ANEW}."


@contextmanager
def _noticing_interrupts() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, besides interrupting: a library on the way may swallow the exception."""
    noticed = threading.Event()
    usual = signal.getsignal(signal.SIGINT)

    def notice(_: int, __: object) -> None:
        noticed.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, notice)
    try:
        yield noticed
    finally:
        signal.signal(signal.SIGINT, usual)


def _wait_until_processed(
    settings: Settings, target: Engine, bar: Progress, patience: int, interrupted: threading.Event
) -> str | None:
    from alliance.replay.target import left

    processing = bar.add_task("processed", total=None)
    done, moved = -1, time.monotonic()
    while True:
        now = left(settings, target)
        bar.update(processing, completed=now.done, total=now.done + now.by_worker + now.by_store)
        if now.is_nothing:
            return None
        if now.done != done:
            done, moved = now.done, time.monotonic()
        elif time.monotonic() - moved > patience:
            return (
                f"Nothing has moved for {patience} s, with {now.by_worker} records left for the worker and "
                f"{now.by_store} for the store. See whether `alliance worker` and `alliance store` of the target run, "
                f"and what their /health says. {BEGIN_ANEW}."
            )
        if interrupted.wait(LOOK_SECONDS):
            raise KeyboardInterrupt


def _told(archive: Engine, target: Engine, seconds: float) -> bool:
    """Print the summary; whether the two archives hold the same."""
    from alliance.replay.archive import flags_of, tally

    here, there = tally(archive), tally(target)
    before, after = flags_of(archive), flags_of(target)
    table = Table("kind", "status", "flags before", "flags after")
    for kind, status in sorted(before | after):
        table.add_row(kind, status, str(before[kind, status]), str(after[kind, status]))
    console = Console()
    console.print(table)
    click.echo(f"events sent {here.events}, in the new archive {there.events}, {seconds:.1f} s")
    if here == there:
        click.echo("the archives are equal: the same events with the same content")
        return True
    click.echo(
        "The archives differ: see `alliance rejected list` of the target, and whether anything was sent to one of them "
        "meanwhile."
    )
    return False
