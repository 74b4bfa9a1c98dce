"""What every command begins with: settings, instruments, logging, and one sentence when something is wrong.

In: the environment. Out: settings and instruments in force.
Never: a traceback for what a person can mend.
"""

import logging
import os
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
from schemas.instruments.registry import InstrumentError, load_instruments, passed_over

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class OperatorError(click.ClickException):
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
        raise OperatorError(str(error)) from None
    set_up_logging(settings)
    return settings


class NoForeignDebug(logging.Filter):
    """Libraries log whole requests when they debug, and a request holds records: below INFO only our own pass."""

    OURS = ("alliance", "pipeline", "consumers", "schemas")

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may be written."""
        return record.levelno >= logging.INFO or record.name.partition(".")[0] in self.OURS


def set_up_logging(settings: Settings) -> None:
    """Everything at the chosen level to standard error, libraries at INFO or above."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(NoForeignDebug())


@contextmanager
def listening(settings: Settings, process: str) -> Iterator[tuple[str, int]]:
    """The address of a process; when it cannot listen there, one sentence names the setting that is wrong.

    One that has no port among the settings takes a free one.
    """
    port_setting = f"{process}_port"
    host, port = settings.host, getattr(settings, port_setting, 0)
    try:
        yield host, port
    except CannotListen as error:
        setting, value, way_out = (
            (port_setting, port, "End the process that listens there, or set it to another port.")
            if error.is_of_port
            else ("host", host, "Set it to an address of this machine, such as 127.0.0.1, or to 0.0.0.0 for all.")
        )
        name = f"{PREFIX}{setting.upper()}={value}"
        raise OperatorError(f"The {process} cannot listen at {host}:{port}, {name} ({error}). {way_out}") from None


def known_instruments(settings: Settings) -> Mapping[str, Instrument]:
    """Shipped and own instruments, or one sentence."""
    try:
        instruments = load_instruments(settings.instruments_folder)
        for name in passed_over(settings.instruments_folder):
            log.warning("In ALLIANCE_INSTRUMENTS, %s is not read: its name does not end in .toml.", name)
    except InstrumentError as error:
        raise OperatorError(str(error)) from None
    return instruments


def known_prior(settings: Settings) -> Prior:
    """The practice's own prior where ALLIANCE_PRIOR names one, else the shipped one; or one sentence."""
    if not settings.prior:
        return DEFAULT_PRIOR
    way_out = "Make it anew with `alliance calibrate`, or unset ALLIANCE_PRIOR."
    try:
        return decode_prior(Path(settings.prior).read_bytes())
    except OSError as error:
        raise OperatorError(f"The prior {settings.prior} cannot be read ({error.strerror}). {way_out}") from None
    except ValueError as error:
        raise OperatorError(f"The prior {settings.prior} is none. {error} {way_out}") from None


def engine_of(name: str, url: str) -> "Engine":
    """The engine of the database that this setting or option names; nothing is asked or made yet."""
    from sqlalchemy.exc import ArgumentError

    from consumers.store.database import open_engine

    no_database = OperatorError(f"{name} must be {DATABASE.words}; it is not. Set it so.")
    if not DATABASE.holds(url):
        raise no_database
    try:
        return open_engine(url)
    except (ArgumentError, ValueError):
        raise no_database from None
    except ImportError as error:
        way_out = "Install it with `pip install 'alliance-monitor[postgres]'`"
        raise OperatorError(f"{name} needs {error.name}. {way_out}.") from None


def store_of(name: str, url: str) -> "Engine":
    """The engine of a store that is there; nothing is made."""
    from sqlalchemy import inspect

    from consumers.store.database import is_missing_file

    engine = engine_of(name, url)
    if is_missing_file(engine):
        raise OperatorError(f"{name} names a file that is not there. Name a store; `alliance store` makes one.")
    if not answered(name, lambda: inspect(engine).has_table("events")):
        raise OperatorError(f"{name} names a database without an archive. Name a store; `alliance store` makes one.")
    return engine


def answered(name: str, ask: Callable[[], Answer]) -> Answer:
    """What a database answers, or one sentence that says which one does not; its own words may hold a password."""
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
    """Act on the broker, or say in one sentence that it is away."""
    from kafka.errors import KafkaError

    way_out = "Start one (`make kafka`) or set ALLIANCE_KAFKA."
    if not is_reachable(settings.kafka):
        raise OperatorError(f"No broker answers at {settings.kafka}. {way_out}")
    # Of what is none, kafka-python complains for half a minute.
    if not is_kafka(settings.kafka):
        raise OperatorError(f"What answers at {settings.kafka} is no broker. {way_out}")
    try:
        return act()
    except KafkaError as error:
        asked = f"The broker at {settings.kafka} did not do what it was asked ({type(error).__name__})"
        raise OperatorError(f"{asked}. See whether it is well, or set ALLIANCE_KAFKA.") from None
