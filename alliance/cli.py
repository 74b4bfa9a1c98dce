"""The command `alliance`: the one place where settings, instruments, rooms and processes meet.

In: arguments and the environment. Out: one process of the system, or an answer for people (`alliance.commands`).
Never: logic; and never a traceback for what a person can mend.
"""

import logging
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import click

from alliance.commands.backtest import backtest
from alliance.commands.calibrate import calibrate
from alliance.commands.context import (
    OperatorError,
    answered,
    effective_settings,
    engine_of,
    known_instruments,
    known_prior,
    listening,
    version,
    with_broker,
)
from alliance.commands.doctor import doctor
from alliance.commands.key import key
from alliance.commands.rejected import rejected
from alliance.commands.replay import replay
from alliance.commands.resume import resume
from alliance.commands.send import send
from alliance.commands.simulate import simulate
from alliance.demo.command import demo
from pipeline.runtime.broker_probe import probe_broker
from pipeline.runtime.health import Health
from pipeline.runtime.http import listen
from pipeline.runtime.settings import Settings

log = logging.getLogger("alliance.cli")


class WholeSentences(click.Group):
    """A group whose list of commands cuts no description off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its first sentence."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(limit=1000)) for name, one in sorted(self.commands.items())]
            )


@click.group(cls=WholeSentences, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version())
def main() -> None:
    """Monitor the therapeutic alliance of a whole practice. Settings: environment variables ALLIANCE_… (see doctor)."""


for command in (backtest, calibrate, demo, doctor, key, rejected, replay, resume, send, simulate):
    main.add_command(command)


@main.command()
@click.option("--for-replay", is_flag=True, help="For `alliance replay`: the events topic keeps records of any age.")
@click.option("--after-replay", is_flag=True, help="Give the events topic its usual retention, once all of it is read.")
def topics(for_replay: bool, after_replay: bool) -> None:
    """Create the topics that do not exist yet."""
    from pipeline.runtime.topic_admin import create_topics

    settings = effective_settings()
    created = with_broker(settings, lambda: create_topics(settings, for_replay))
    if after_replay:
        _end_replay(settings)
    click.echo("\n".join(f"created {name}" for name in created) or "all topics exist")


def _end_replay(settings: Settings) -> None:
    from alliance.replay.target import left
    from pipeline.runtime.topic_admin import end_replay

    store = engine_of("ALLIANCE_DATABASE", settings.database)
    now = with_broker(settings, lambda: answered("ALLIANCE_DATABASE", lambda: left(settings, store)))
    if not now.is_nothing:
        raise OperatorError(
            f"{now.by_worker} records are left for the worker and {now.by_store} for the store; old ones among them "
            "would leave the log unread. Say this again when both are through."
        )
    with_broker(settings, lambda: end_replay(settings))


@main.command()
def worker() -> None:
    """Process the stream: check-ins to flags and summaries."""
    from pipeline.runtime.http import serve
    from pipeline.runtime.metrics import Meters
    from pipeline.worker.app import create_app, run_app
    from pipeline.worker.faust.resume_endpoint import ResumeEndpoint

    settings = effective_settings()
    instruments, prior = known_instruments(settings), known_prior(settings)
    health, meters, desk = Health("worker"), Meters(version()), ResumeEndpoint()
    with listening(settings, "worker") as address:
        serve(*address, health, meters.registry, post=desk.reply)
    _wait_for_topics(settings, health)
    app = create_app(settings, instruments, prior, health, meters, desk)
    run_app(app, settings.log_level)


@main.command()
@click.option("--accept-gap", is_flag=True, help="Continue although Kafka deleted records before they were read.")
def store(accept_gap: bool) -> None:
    """Keep accepted events, flags, therapists and refusals in SQL."""
    from consumers.start_positions import LogIsShorter, LogStartsLater
    from consumers.store.database import UnusableDatabase
    from consumers.store.run import run_store
    from pipeline.runtime.kafka_clients import client_options

    settings = effective_settings()
    try:
        with listening(settings, "store") as address:
            run_store(
                engine_of("ALLIANCE_DATABASE", settings.database),
                client_options(settings),
                known_instruments(settings),
                address=address,
                group=f"{settings.app_id}-store",
                session_timeout_seconds=settings.session_timeout_seconds,
                accepts_gap=accept_gap,
                version=version(),
                on_stop=_on_stop,
            )
    except (LogIsShorter, LogStartsLater) as error:
        raise OperatorError(str(error)) from None
    except UnusableDatabase as error:
        raise OperatorError(f"ALLIANCE_DATABASE {error}.") from None


@main.command()
def exporter() -> None:
    """Serve /metrics for Prometheus."""
    from consumers.exporter.run import run_exporter
    from pipeline.runtime.kafka_clients import client_options

    settings = effective_settings()
    with listening(settings, "exporter") as address:
        run_exporter(client_options(settings), address=address, version=version(), on_stop=_on_stop)


@main.command()
def notifier() -> None:
    """Tell Alertmanager of open flags until somebody acknowledges them."""
    from consumers.notifier.run import run_notifier
    from pipeline.runtime.kafka_clients import client_options

    settings = effective_settings()
    with listening(settings, "notifier") as address:
        run_notifier(
            client_options(settings),
            alertmanagers=settings.alertmanagers,
            worklist_url=settings.worklist_url,
            address=address,
            version=version(),
            on_stop=_on_stop,
        )


@main.command()
def gateway() -> None:
    """Take check-ins over HTTP."""
    try:
        from pipeline.ingest.gateway.app import serve
    except ImportError as error:
        raise OperatorError(
            f"The gateway needs {error.name}. Install it with `pip install 'alliance-monitor[gateway]'`."
        ) from None
    from pipeline.ingest.gateway.api_keys import KeysError

    settings = effective_settings()
    known_instruments(settings)
    with listening(settings, "gateway") as address:
        listener = listen(*address)
    try:
        serve(settings, listener, version=version())
    except KeysError as error:
        raise OperatorError(str(error)) from None


def _on_stop(stop: Callable[[], None]) -> None:
    """Call `stop` when the process is asked to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())


def _wait_for_topics(settings: Settings, health: Health) -> None:
    """Wait for the broker; refuse to start without the topics."""
    from kafka.errors import KafkaError

    from pipeline.runtime.topic_admin import missing_topics

    def absent() -> list[str] | None:
        # Asked for topics, kafka-python waits for half a minute before it says that nobody answers.
        if probe_broker(settings.kafka, health):
            with suppress(KafkaError):
                return missing_topics(settings)
            health.waits_for("broker", "no broker answers")
        return None

    if (found := absent()) is None:
        log.warning("No broker answers; waiting, nothing is lost.")
    while found is None:
        threading.Event().wait(1.0)
        found = absent()
    if found:
        raise OperatorError(f"These topics do not exist: {', '.join(found)}. Create them with `alliance topics`.")


if __name__ == "__main__":
    sys.exit(main())
