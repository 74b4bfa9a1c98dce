"""`alliance rejected list` and `alliance rejected replay`.

In: the store's refused records. Out: a table without their content, or lines in a pipe; the records that would now be
accepted, sent again.
"""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from alliance.commands.context import ask_database, effective_settings, known_instruments, store_of, with_broker
from schemas.refusals import SENTENCES, Reason

if TYPE_CHECKING:
    from alliance.replay.rejected import RejectedRow

COLUMNS = ("received", "partition", "offset", "reason", "detail", "sent again")
#: In a narrower terminal the table cannot be read.
LEAST_WIDTH = 80
REASON = click.Choice([reason.value for reason in Reason])


@click.group()
def rejected() -> None:
    """List refused records, and send them again once the cause is fixed."""


@rejected.command("list")
@click.option("--reason", type=REASON, help="Only records refused for this reason.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
def list_records(reason: str | None, limit: int) -> None:
    """Show the latest refused records: when, where from, why; never their content."""
    from alliance.replay.rejected import list_rejected

    engine = store_of("ALLIANCE_DATABASE", effective_settings().database)
    found = ask_database("ALLIANCE_DATABASE", lambda: list_rejected(engine, Reason(reason) if reason else None, limit))
    show(found, Console())


def show(found: "Sequence[RejectedRow]", console: Console) -> None:
    """A table and sentences on a terminal that is wide enough; else a line for each record, tabs between its fields."""
    if not console.is_terminal or console.width < LEAST_WIDTH:
        for row in found:
            click.echo("\t".join(_fields(row)), file=console.file)
        return
    table = Table(*COLUMNS, box=None, padding=(0, 2, 0, 0))
    for column in table.columns:
        column.overflow = "fold"
        column.no_wrap = column.header == "reason"
        column.min_width = len("2026-03-02") if column.header in ("received", "sent again") else None
    for row in found:
        table.add_row(*map(escape, _fields(row)))
    console.print(table)
    for reason in sorted({row.reason for row in found}):
        console.print(f"{reason.value}: {SENTENCES[reason]}", highlight=False)


def _fields(row: "RejectedRow") -> list[str]:
    again = "" if row.sent_again_at is None else f"{row.sent_again_at:%Y-%m-%d %H:%M}"
    received = f"{row.received_at:%Y-%m-%d %H:%M:%S}"
    return [received, str(row.id.partition), str(row.id.offset), row.reason.value, row.detail, again]


@rejected.command()
@click.option("--reason", type=REASON, help="Only records refused for this reason.")
@click.option("--force", is_flag=True, help="Also send records that would be refused again.")
def replay(reason: str | None, force: bool) -> None:
    """Send again, byte for byte, the records that would now be accepted; never one of an erased case."""
    from alliance.replay.rejected import replay_rejected
    from pipeline.runtime.kafka_clients import close_producer, make_producer

    settings = effective_settings()
    engine = store_of("ALLIANCE_DATABASE", settings.database)
    producer = with_broker(settings, lambda: make_producer(settings))
    outcome = replay_rejected(
        engine,
        producer,
        known_instruments(settings),
        reason=None if reason is None else Reason(reason),
        force=force,
        clock_ms=lambda: time.time_ns() // 1_000_000,
    )
    close_producer(producer, 5.0)
    click.echo(outcome.closing_line)
    sys.exit(2 if outcome.is_broker_unavailable else 0)
