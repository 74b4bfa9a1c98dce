"""The command `alliance demo`.

In: options. Out: the demonstration on this terminal, or as lines in a pipe; an exit code.
Never: a traceback for something that a person can fix.
"""

import signal
import sys
import threading
from typing import TYPE_CHECKING

import click

from alliance.demo.options import DemoError, DemoOptions

if TYPE_CHECKING:
    from alliance.demo.screen import Screen
    from alliance.demo.session import Result

#: As shells report Ctrl-C. Only for `--once`, which has then verified nothing.
EXIT_INTERRUPTED = 130


@click.command()
@click.option("--once", is_flag=True, help="Process a fixed history, print a summary and end.")
@click.option("--therapists", type=click.IntRange(1, 100), default=40, show_default=True, help="Size of the practice.")
@click.option("--weeks", type=click.IntRange(1, 104), default=26, show_default=True, help="How much of its past.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Another seed, another practice."
)
@click.option(
    "--speed",
    type=click.FloatRange(0.001, 100.0),
    default=0.1,
    show_default=True,
    help="Simulated days a second in the live weeks.",
)
@click.option("--keep", is_flag=True, help="Keep the folder with the store and the logs at the end.")
@click.option("--broker", metavar="HOST:PORT", default="", help="A real Kafka instead of the embedded broker.")
@click.option("--into-existing", is_flag=True, help="With --broker: also when its topics already hold records.")
def demo(
    once: bool,
    therapists: int,
    weeks: int,
    seed: int,
    speed: float,
    keep: bool,
    broker: str,
    into_existing: bool,
) -> None:
    """The whole pipeline on this machine with a simulated practice; Ctrl-C ends it."""
    # Here and not above: every command of `alliance` imports this module, and only this one needs all of that.
    from alliance.demo.session import demonstrate

    options = DemoOptions(
        therapists=therapists,
        weeks=weeks,
        seed=seed,
        once=once,
        days_per_second=speed,
        keep=keep,
        broker=broker,
        into_existing=into_existing,
    )
    try:
        result = demonstrate(options, _screen(), _stop_on_signals())
    except DemoError as error:
        raise click.ClickException(str(error)) from None
    _report(result, broker)
    if once and result.outcome is None:
        sys.exit(EXIT_INTERRUPTED)


def _report(result: "Result", broker: str) -> None:
    from alliance.demo.summary import lines

    if result.outcome is None:
        click.echo("Stopped; all processes have ended.")
    else:
        click.echo("\n".join(lines(result.outcome)))
    if broker:
        click.echo(f"The simulated records stay in the topics of {broker}.")
    if result.kept_folder is not None:
        click.echo(f"The store and the logs stay in {result.kept_folder}")


def _screen() -> "Screen":
    from rich.console import Console

    from alliance.demo.screen import Lines, Terminal

    console = Console()
    return Terminal(console) if console.is_terminal else Lines(click.echo)


def _stop_on_signals() -> threading.Event:
    """An event that is set when a signal asks this process to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop
