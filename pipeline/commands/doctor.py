"""`alliance doctor`.

In: the environment. Out: effective settings (secrets masked), what answers and what does not, versions; exit code 1
when something is missing that every process needs.
Never: make anything, not even the file of a database.
"""

import platform
import sys
from importlib.metadata import version as version_of

import click
from rich.console import Console
from rich.table import Table

from pipeline.commands.setup import Mendable, effective_settings, known_instruments, version, with_broker
from pipeline.settings import Settings, documentation
from schemas.instruments.registry import fingerprint

#: What a finding is: well, in need of mending, or nothing that everybody needs.
_WORDS = {True: "ok", False: "[bold red]not ok[/bold red]", None: "not there"}
LIBRARIES = ("faust-streaming", "aiokafka", "kafka-python", "sqlalchemy", "msgspec", "pandas", "prometheus-client")


def settings_help() -> str:
    """Every setting with its default and its meaning; a blank line parts them, or click would join them."""
    return "\n\n".join(
        f"{name} (default: {default or 'empty'}): {meaning}." for name, default, meaning in documentation()
    )


@click.command(epilog=settings_help())
def doctor() -> None:
    """Effective settings, broker, topics, database, instruments, versions."""
    settings = effective_settings()
    console = Console()
    table = Table("setting", "value", title="Settings (environment variables)")
    for name, value in settings.masked().items():
        table.add_row(name, value or "[dim](empty)[/dim]")
    console.print(table)
    instruments = known_instruments(settings)
    findings = [
        ("versions", True, f"alliance {version()}, Python {platform.python_version()}"),
        ("libraries", True, ", ".join(f"{one} {version_of(one)}" for one in LIBRARIES)),
        ("instruments", True, f"{', '.join(sorted(instruments))}; fingerprint {fingerprint(instruments)}"),
        _broker(settings),
        _database(settings),
        *(_alertmanager(address) for address in settings.alertmanagers),
    ]
    table = Table("part", "", "finding")
    for part, is_well, finding in findings:
        table.add_row(part, _WORDS[is_well], finding)
    console.print(table)
    sys.exit(1 if any(is_well is False for _, is_well, _ in findings) else 0)


def _broker(settings: Settings) -> tuple[str, bool, str]:
    from pipeline.doors.log import missing_topics

    try:
        missing = with_broker(settings, lambda: missing_topics(settings))
    except Mendable as error:
        return "broker", False, error.message
    if missing:
        return "broker", False, f"answers; missing topics: {', '.join(missing)}; create them with `alliance topics`"
    return "broker", True, "answers; all topics exist"


def _database(settings: Settings) -> tuple[str, bool, str]:
    from sqlalchemy import inspect
    from sqlalchemy.exc import SQLAlchemyError

    from consumers.store.database import is_missing_file, open_engine

    try:
        engine = open_engine(settings.database)
        if is_missing_file(engine):
            return "database", True, "sqlite; no file yet, `alliance store` will make it"
        tables = inspect(engine).get_table_names()
    except (SQLAlchemyError, ImportError) as error:
        return "database", False, f"no answer ({type(error).__name__}); check ALLIANCE_DATABASE"
    if "positions" not in tables:
        return "database", True, f"{engine.dialect.name}; empty, `alliance store` will make its tables"
    return "database", True, f"{engine.dialect.name}; {len(tables)} tables"


def _alertmanager(address: str) -> tuple[str, bool | None, str]:
    from consumers.notifier.alertmanager import Alertmanager, Away

    alertmanager = Alertmanager(address)
    part = f"Alertmanager {alertmanager.place}"
    try:
        held = alertmanager.held()
    except Away as error:
        return part, None, f"{error}; only `alliance notifier` needs it: ALLIANCE_ALERTMANAGER says where"
    return part, True, f"answers; holds {len(held)} open flags"
