"""The command `alliance`: it registers every command; each one is a file of `alliance.commands`, or the demo.

In: arguments. Out: a command run.
Never: what a command does; import Faust, SQLAlchemy or a web server before a command that needs it runs.
"""

import sys

import click

from alliance.commands.backtest import backtest
from alliance.commands.calibrate import calibrate
from alliance.commands.context import version
from alliance.commands.doctor import doctor
from alliance.commands.exporter import exporter
from alliance.commands.gateway import gateway
from alliance.commands.key import key
from alliance.commands.notifier import notifier
from alliance.commands.rejected import rejected
from alliance.commands.replay import replay
from alliance.commands.resume import resume
from alliance.commands.send import send
from alliance.commands.simulate import simulate
from alliance.commands.store import store
from alliance.commands.topics import topics
from alliance.commands.worker import worker
from alliance.demo.command import demo

PROCESSES = (worker, store, exporter, notifier, gateway)
COMMANDS = (backtest, calibrate, demo, doctor, key, rejected, replay, resume, send, simulate, topics)


class WholeSentences(click.Group):
    """A group whose list of commands shows each description in full."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its first sentence."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(limit=1000)) for name, command in sorted(self.commands.items())]
            )


@click.group(cls=WholeSentences, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version())
def main() -> None:
    """Monitor the therapeutic alliance of a whole practice. Settings: environment variables ALLIANCE_… (see doctor)."""


for command in (*PROCESSES, *COMMANDS):
    main.add_command(command)


if __name__ == "__main__":
    sys.exit(main())
