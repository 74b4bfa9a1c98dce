"""`alliance doctor`.

In: the environment. Out: effective settings (secrets masked), what answers and what does not, versions; exit code 1
if something is missing that every process needs.
Never: create anything, not even the file of a database.
"""

import platform
import sys
from collections.abc import Callable
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from alliance.commands.context import (
    OperatorError,
    ask_database,
    effective_settings,
    engine_of,
    known_instruments,
    known_prior,
    listening,
    version,
    with_broker,
)
from pipeline.runtime.http import listen
from pipeline.runtime.settings import Settings, documentation
from schemas.instruments.registry import fingerprint, ignored_files

if TYPE_CHECKING:
    from sqlalchemy import Engine

Finding = tuple[str, bool | None, str]

#: A finding is well, must be fixed, or is missing but not needed by every process.
_WORDS = {True: "ok", False: "[bold red]not ok[/bold red]", None: "missing"}
LIBRARIES = ("faust-streaming", "aiokafka", "kafka-python", "sqlalchemy", "msgspec", "pandas", "prometheus-client")


def settings_help() -> str:
    """Every setting with its default and its meaning; without the blank line click would join them."""
    return "\n\n".join(
        f"{name} (default: {default or 'empty'}): {meaning}." for name, default, meaning in documentation()
    )


@click.command(epilog=settings_help())
def doctor() -> None:
    """Show the effective settings, what answers, and what is missing."""
    settings = effective_settings()
    console = Console()
    table = Table("setting", "value", title="Settings (environment variables)")
    for name, value in settings.masked().items():
        table.add_row(name, escape(value) or "[dim](empty)[/dim]")
    console.print(table)
    findings: list[Finding] = [
        ("versions", True, f"alliance {version()}, Python {platform.python_version()}"),
        ("libraries", True, ", ".join(f"{library} {version_of(library)}" for library in LIBRARIES)),
        _check("address", lambda: _address(settings)),
        _check("instruments", lambda: _instruments(settings)),
        _check("prior", lambda: _prior(settings)),
        _keys(settings),
        _check("broker", lambda: _broker(settings)),
        _check("database", lambda: _database(settings)),
        *(_alertmanager(address) for address in settings.alertmanagers),
    ]
    table = Table("part", "", "finding")
    for part, is_healthy, finding in findings:
        table.add_row(part, _WORDS[is_healthy], escape(finding))
    console.print(table)
    sys.exit(1 if any(is_healthy is False for _, is_healthy, _ in findings) else 0)


def _check(part: str, check: Callable[[], str]) -> Finding:
    """The result of one check; a part that must be fixed does not stop the other checks."""
    try:
        return part, True, check()
    except OperatorError as error:
        return part, False, error.message


def _address(settings: Settings) -> str:
    with listening(settings, "process") as (host, port):
        listen(host, port).close()
    return f"{settings.host}, an address of this machine"


def _instruments(settings: Settings) -> str:
    instruments = known_instruments(settings)
    not_read = ignored_files(settings.instruments_folder)
    return (
        f"{', '.join(sorted(instruments))}; fingerprint {fingerprint(instruments)}"
        f"{'; not read, because their names do not end in .toml: ' if not_read else ''}{', '.join(not_read)}"
    )


def _prior(settings: Settings) -> str:
    known_prior(settings)
    return f"{settings.prior}, the practice's own" if settings.prior else "the shipped one"


def _keys(settings: Settings) -> Finding:
    from pipeline.ingest.gateway.api_keys import Keys, KeysError

    if not settings.api_keys:
        return "API keys", None, "none; only `alliance gateway` needs them (ALLIANCE_API_KEYS)"
    try:
        Keys.read(Path(settings.api_keys))
    except KeysError as error:
        return "API keys", False, str(error)
    return "API keys", True, settings.api_keys


def _broker(settings: Settings) -> str:
    from pipeline.runtime.topic_admin import missing_topics

    missing = with_broker(settings, lambda: missing_topics(settings))
    if missing:
        raise OperatorError(
            f"answers, but these topics do not exist: {', '.join(missing)}. Create them with `alliance topics`."
        )
    return "answers; all topics exist"


def _database(settings: Settings) -> str:
    from consumers.store.database import is_missing_file, why_not_writable

    engine = engine_of("ALLIANCE_DATABASE", settings.database)
    obstacle = why_not_writable(engine)
    if obstacle is not None:
        raise OperatorError(
            f"{engine.dialect.name}; {obstacle}. Fix its folder, or set ALLIANCE_DATABASE to another file."
        )
    if is_missing_file(engine):
        return "sqlite; no file yet, `alliance store` will create it"
    return f"{engine.dialect.name}; {ask_database('ALLIANCE_DATABASE', lambda: _schema(engine))}"


def _schema(engine: "Engine") -> str:
    from sqlalchemy import inspect

    from consumers.store.database import newest_revision, revision_of

    with engine.connect() as connection:
        revision = revision_of(connection)
        tables = inspect(connection).get_table_names()
    if revision is None and "positions" in tables:
        raise OperatorError(
            "The tables of ALLIANCE_DATABASE are not those of `alliance store`. Set it to another database."
        )
    if revision is None:
        return "empty, `alliance store` will create its tables"
    if revision != newest_revision():
        return f"revision {revision}, `alliance store` will upgrade it to {newest_revision()}"
    return f"revision {revision}, the newest; {len(tables)} tables"


def _alertmanager(address: str) -> Finding:
    from consumers.notifier.alertmanager import Alertmanager, AlertmanagerUnavailable

    alertmanager = Alertmanager(address)
    part = f"Alertmanager {alertmanager.place}"
    try:
        active = alertmanager.active()
    except AlertmanagerUnavailable as error:
        return part, None, f"{error}; only `alliance notifier` needs it (ALLIANCE_ALERTMANAGER)"
    return part, True, f"answers; holds {len(active)} open flags"
