"""What every command begins with: settings, instruments, logging, and one sentence when something is wrong.

In: the environment. Out: settings and instruments in force.
Never: a traceback for what a person can mend.
"""

import logging
import os
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pipeline.core.prior import DEFAULT_PRIOR, Prior, decode_prior
from pipeline.health import answers
from pipeline.settings import Settings, SettingsError, from_environment
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import InstrumentError, load_instruments

if TYPE_CHECKING:
    from sqlalchemy import Engine

Answer = TypeVar("Answer")


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


def known_prior(settings: Settings) -> Prior:
    """The practice's own prior where ALLIANCE_PRIOR names one, else the shipped one; or one sentence."""
    if not settings.prior:
        return DEFAULT_PRIOR
    way_out = "Make it anew with `alliance calibrate`, or unset ALLIANCE_PRIOR."
    try:
        return decode_prior(Path(settings.prior).read_bytes())
    except OSError as error:
        raise Mendable(f"The prior {settings.prior} cannot be read ({error.strerror}). {way_out}") from None
    except ValueError as error:
        raise Mendable(f"The prior {settings.prior} is none. {error} {way_out}") from None


def engine_of(name: str, url: str) -> "Engine":
    """The engine of the database that this setting or option names; nothing is asked or made yet."""
    from sqlalchemy.exc import ArgumentError

    from consumers.store.database import open_engine

    try:
        return open_engine(url)
    except ArgumentError:
        way_out = "Write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
        raise Mendable(f"{name} is no SQLAlchemy URL. {way_out}.") from None
    except ImportError as error:
        way_out = "Install it with `pip install 'alliance-monitor[postgres]'`"
        raise Mendable(f"{name} needs {error.name}. {way_out}.") from None


def store_of(name: str, url: str) -> "Engine":
    """The engine of a store that is there; nothing is made."""
    from sqlalchemy import inspect

    from consumers.store.database import is_missing_file

    engine = engine_of(name, url)
    if is_missing_file(engine):
        raise Mendable(f"{name} names a file that is not there. Name a store; `alliance store` makes one.")
    if not answered(name, lambda: inspect(engine).has_table("events")):
        raise Mendable(f"{name} names a database without an archive. Name a store; `alliance store` makes one.")
    return engine


def answered(name: str, ask: Callable[[], Answer]) -> Answer:
    """What a database answers, or one sentence that says which one does not; its own words may hold a password."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return ask()
    except SQLAlchemyError as error:
        raise Mendable(
            f"The database of {name} does not answer ({type(error).__name__}). Start it or name another."
        ) from None


def with_broker(settings: Settings, act: Callable[[], Answer]) -> Answer:
    """Act on the broker, or say in one sentence that it is away."""
    from kafka.errors import KafkaError

    way_out = "Start one (`make kafka`) or set ALLIANCE_KAFKA."
    if not answers(settings.kafka):
        raise Mendable(f"No broker answers at {settings.kafka}. {way_out}")
    try:
        return act()
    except KafkaError as error:
        raise Mendable(f"What answers at {settings.kafka} is no broker ({type(error).__name__}). {way_out}") from None
