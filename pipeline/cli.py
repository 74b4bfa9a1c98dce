"""The command `alliance`: the one place where settings, instruments, rooms and processes meet.

In: arguments and the environment. Out: one process of the system, or an answer for people.
Never: logic; and never a traceback for what a person can mend.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from typing import Any

import click

from pipeline.settings import Settings, SettingsError, from_environment
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import InstrumentError, load_instruments


class Mendable(click.ClickException):
    """Something a person can mend: one sentence, no traceback."""

    exit_code = 2


def version() -> str:
    """The version of the installed package."""
    try:
        return package_version("alliance-monitor")
    except PackageNotFoundError:
        return "0+unknown"


def effective_settings() -> Settings:
    """Settings from the environment, or one sentence."""
    try:
        settings = from_environment(os.environ)
    except SettingsError as error:
        raise Mendable(str(error)) from None
    set_up_logging(settings)
    return settings


class NoForeignDebug(logging.Filter):
    """Libraries log whole requests when they debug, and a request holds records: below INFO only our own pass."""

    OURS = ("pipeline", "consumers", "schemas")

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may be written."""
        return record.levelno >= logging.INFO or record.name.partition(".")[0] in self.OURS


def set_up_logging(settings: Settings) -> None:
    """Everything at the chosen level to standard error, libraries at INFO or above."""
    level = logging.getLevelNamesMapping().get(settings.log_level.upper())
    if level is None:
        raise Mendable("ALLIANCE_LOG_LEVEL is none of debug, info, warning, error. Set it to one of them.")
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(NoForeignDebug())


def known_instruments(settings: Settings) -> Mapping[str, Instrument]:
    """Shipped and own instruments, or one sentence."""
    try:
        return load_instruments(settings.instruments_folder)
    except InstrumentError as error:
        raise Mendable(str(error)) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version())
def main() -> None:
    """Monitor the therapeutic alliance of a whole practice. Settings: environment variables ALLIANCE_… (`doctor`)."""


@main.command()
def topics() -> None:
    """Create the topics that do not exist yet."""
    from pipeline.doors import log

    settings = effective_settings()
    created = _with_broker(settings, lambda: log.create_topics(settings))
    click.echo("\n".join(f"created {name}" for name in created) or "all topics exist")


@main.command()
def worker() -> None:
    """Process the stream: check-ins to flags and summaries."""
    import faust

    from pipeline import health as health_room
    from pipeline.app import create_app
    from pipeline.doors import log
    from pipeline.meters import Meters

    settings = effective_settings()
    instruments = known_instruments(settings)
    health, meters = health_room.Health("worker"), Meters(version())
    health_room.serve(settings.host, settings.worker_port, health, meters.registry)
    _wait_for_topics(settings, health, log.missing_topics)
    app = create_app(settings, instruments, health, meters)
    # Faust sets up logging once more; its debug lines hold records, so it never gets below INFO.
    level = "info" if settings.log_level == "debug" else settings.log_level
    faust.Worker(app, loglevel=level, redirect_stdouts=False, quiet=True).execute_from_commandline()


@main.command()
def store() -> None:
    """Keep accepted events, flags, therapists and refusals in SQL."""
    from consumers.store.run import run_store
    from pipeline.doors.log import connection

    settings = effective_settings()
    run_store(
        settings.database,
        connection(settings),
        known_instruments(settings),
        address=(settings.host, settings.store_port),
        group=f"{settings.app_id}-store",
        session_timeout_seconds=settings.session_timeout_seconds,
        version=version(),
        on_stop=_on_stop,
    )


@main.command()
def exporter() -> None:
    """Serve /metrics for Prometheus."""
    from consumers.exporter.run import run_exporter
    from pipeline.doors.log import connection

    settings = effective_settings()
    run_exporter(
        connection(settings),
        address=(settings.host, settings.exporter_port),
        version=version(),
        on_stop=_on_stop,
    )


@main.command()
def gateway() -> None:
    """Take check-ins over HTTP."""
    from pipeline.doors.gateway import serve

    serve(effective_settings())


def _on_stop(stop: Callable[[], None]) -> None:
    """Call `stop` when the process is asked to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())


def _with_broker(settings: Settings, act: Callable[[], Any]) -> Any:
    """Act on the broker, or say in one sentence that it is away."""
    from kafka.errors import KafkaError

    try:
        return act()
    except KafkaError as error:
        raise Mendable(
            f"No broker answers at {settings.kafka} ({type(error).__name__}). "
            "Start one (`make kafka`) or set ALLIANCE_KAFKA."
        ) from None


def _wait_for_topics(settings: Settings, health: Any, missing: Callable[[Settings], list[str]]) -> None:
    """Wait for the broker; refuse to start without the topics."""
    import threading

    from kafka.errors import KafkaError

    while True:
        try:
            absent = missing(settings)
        except KafkaError:
            health.waits_for("broker", "no broker answers")
            threading.Event().wait(1.0)
            continue
        health.has("broker")
        if absent:
            raise Mendable(f"These topics do not exist: {', '.join(absent)}. Create them with `alliance topics`.")
        return


if __name__ == "__main__":
    sys.exit(main())
