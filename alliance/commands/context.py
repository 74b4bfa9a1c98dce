"""What every command begins with: settings, instruments, logging, the database, the broker.

In: the environment. Out: current settings and instruments; `OperatorError` if an operator must fix something first.
Never: make anything in the database or the broker.
"""

import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pipeline.core.detection.prior import DEFAULT_PRIOR, Prior, decode_prior
from pipeline.runtime.broker_probe import is_kafka, is_reachable
from pipeline.runtime.http import CannotListen
from pipeline.runtime.settings import DATABASE, PREFIX, Settings, SettingsError, from_environment
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import InstrumentError, ignored_files, load_instruments

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class OperatorError(click.ClickException):
    """A mistake that an operator can fix: the message says what is wrong and what to do; there is no traceback."""

    exit_code = 2


def version() -> str:
    """The version of the installed package."""
    try:
        return package_version("alliance-monitor")
    except PackageNotFoundError:
        return "0+unknown"


def effective_settings() -> Settings:
    """Settings from the environment; raises `OperatorError`. Sets up logging too."""
    try:
        settings = from_environment(os.environ)
    except SettingsError as error:
        raise OperatorError(str(error)) from None
    set_up_logging(settings)
    return settings


class OwnDebugOnly(logging.Filter):
    """Below INFO only this project's messages are written: a library's debug messages hold whole records."""

    OWN_PACKAGES = ("alliance", "pipeline", "consumers", "schemas")

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may be written."""
        return record.levelno >= logging.INFO or record.name.partition(".")[0] in self.OWN_PACKAGES


def set_up_logging(settings: Settings) -> None:
    """Messages of the chosen level go to standard error, those of libraries from INFO on."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(OwnDebugOnly())


@contextmanager
def listening(settings: Settings, process: str) -> Iterator[tuple[str, int]]:
    """The address of a process; if it cannot listen there, `OperatorError` names the setting to change.

    A process without a port of its own in the settings gets a free port.
    """
    port_setting = f"{process}_port"
    host, port = settings.host, getattr(settings, port_setting, 0)
    try:
        yield host, port
    except CannotListen as error:
        next_step = (
            f"End the process that listens there, or change {PREFIX}{port_setting.upper()}={port}."
            if error.is_of_port
            else f"Change {PREFIX}HOST={host} to an address of this machine, such as 127.0.0.1, or to 0.0.0.0 for all."
        )
        raise OperatorError(f"The {process} cannot listen at {host}:{port} ({error}). {next_step}") from None


def known_instruments(settings: Settings) -> Mapping[str, Instrument]:
    """The shipped instruments and the practice's own; raises `OperatorError`."""
    try:
        instruments = load_instruments(settings.instruments_folder)
        for name in ignored_files(settings.instruments_folder):
            log.warning("In ALLIANCE_INSTRUMENTS, %s is not read, because its name does not end in .toml.", name)
    except InstrumentError as error:
        raise OperatorError(str(error)) from None
    return instruments


def known_prior(settings: Settings) -> Prior:
    """The practice's own prior if ALLIANCE_PRIOR names one, else the shipped one; raises `OperatorError`."""
    if not settings.prior:
        return DEFAULT_PRIOR
    next_step = "Make it again with `alliance calibrate`, or unset ALLIANCE_PRIOR."
    try:
        return decode_prior(Path(settings.prior).read_bytes())
    except OSError as error:
        raise OperatorError(f"The prior {settings.prior} cannot be read ({error.strerror}). {next_step}") from None
    except ValueError as error:
        raise OperatorError(f"{settings.prior} is not a valid prior. {error} {next_step}") from None


def engine_of(name: str, url: str) -> "Engine":
    """The engine of the database that this setting or option names; it is not connected yet."""
    from sqlalchemy.exc import ArgumentError

    from consumers.store.database import open_engine

    not_a_database = OperatorError(f"{name} must be {DATABASE.words}; it is not. Change it.")
    if not DATABASE.holds(url):
        raise not_a_database
    try:
        return open_engine(url)
    except (ArgumentError, ValueError):
        raise not_a_database from None
    except ImportError as error:
        next_step = "Install it with `pip install 'alliance-monitor[postgres]'`."
        raise OperatorError(f"{name} needs {error.name}. {next_step}") from None


def store_of(name: str, url: str) -> "Engine":
    """The engine of an existing store; raises `OperatorError` if the database is not a store."""
    from sqlalchemy import inspect

    from consumers.store.database import is_missing_file

    engine = engine_of(name, url)
    if is_missing_file(engine):
        raise OperatorError(f"{name} names a file that does not exist. Name a store; `alliance store` creates one.")
    if not ask_database(name, lambda: inspect(engine).has_table("events")):
        raise OperatorError(f"{name} names a database without an archive. Name a store; `alliance store` creates one.")
    return engine


def ask_database(name: str, ask: Callable[[], Answer]) -> Answer:
    """The answer of a database; raises `OperatorError` without the database's own words, which may hold a password."""
    from sqlalchemy.exc import SQLAlchemyError

    from consumers.store.database import UnusableDatabase, foreign_files_reported

    try:
        with foreign_files_reported():
            return ask()
    except UnusableDatabase as error:
        raise OperatorError(f"{name} {error}.") from None
    except SQLAlchemyError as error:
        raise OperatorError(
            f"The database of {name} does not answer ({type(error).__name__}). Start it or name another."
        ) from None


def with_broker(settings: Settings, act: Callable[[], Answer]) -> Answer:
    """Act on the broker; raises `OperatorError` if it does not answer."""
    from kafka.errors import KafkaError

    next_step = "Start one (`make kafka`), or set ALLIANCE_KAFKA."
    if not is_reachable(settings.kafka):
        raise OperatorError(f"No broker answers at {settings.kafka}. {next_step}")
    # With an address that is not a broker's, kafka-python complains for half a minute.
    if not is_kafka(settings.kafka):
        raise OperatorError(f"The program at {settings.kafka} is not a Kafka broker. {next_step}")
    try:
        return act()
    except KafkaError as error:
        raise OperatorError(
            f"The broker at {settings.kafka} answered with an error ({type(error).__name__}). See whether it is "
            "healthy, or set ALLIANCE_KAFKA to another one."
        ) from None


def stop_on_signal(stop: Callable[[], None]) -> None:
    """Call `stop` when the process is asked to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
