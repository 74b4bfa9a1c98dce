"""Opens the store's database and brings its schema up to date.

In: an SQLAlchemy URL. Out: an engine whose schema is the newest.
Never: create a table other than by a migration.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

MIGRATIONS = Path(__file__).parent / "migrations"
#: PostgreSQL's advisory locks are known by a number; this one is "alliance" in ASCII, which nothing else here uses.
MIGRATION_LOCK = 0x616C6C69616E6365
#: How SQLite says that it cannot read a file.
NO_DATABASE = "file is not a database"


def open_engine(url: str) -> Engine:
    """An engine. SQLite keeps a write-ahead log, so that readers and the store do not block each other."""
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def is_missing_file(engine: Engine) -> bool:
    """Whether connecting would create an SQLite file."""
    path = engine.url.database
    return engine.dialect.name == "sqlite" and bool(path) and path != ":memory:" and not Path(str(path)).exists()


def why_not_writable(engine: Engine) -> str | None:
    """Why the store could not write to its SQLite file or create it; None if it could. Leaves nothing behind."""
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        return None
    file = Path(path)
    try:
        # SQLite keeps its log beside the file, so the folder must be writable too.
        with TemporaryFile(dir=file.parent), file.open("r+b") if file.exists() else nullcontext():
            return None
    except OSError as error:
        return f"{file} cannot be written ({error.strerror})"


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.execute("PRAGMA synchronous=FULL")
    # Keys are digests, so one batch touches most pages of an index: keep 64 MB of them in memory (a negative size is in
    # kB), and copy the log to the tables after 10,000 pages (40 MB) instead of 1,000.
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.execute("PRAGMA wal_autocheckpoint=10000")
    cursor.close()


class UnusableDatabase(Exception):
    """This release cannot use what the URL names. The message continues a sentence that starts with the setting."""


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision; raises `UnusableDatabase`.

    If several stores start at once, one of them does it and the others wait.
    """
    with foreign_files_reported(), engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        revision_of(connection)
        config = _configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def foreign_files_reported() -> Iterator[None]:
    """Raise `UnusableDatabase` if the file turns out not to be an SQLite database."""
    try:
        yield
    except DatabaseError as error:
        if str(error.orig) != NO_DATABASE:
            raise
        raise UnusableDatabase(
            "names a file that is not an SQLite database. Name another file, or move this one away"
        ) from None


def revision_of(connection: Connection) -> str | None:
    """The schema's revision, None before the first; raises `UnusableDatabase` if this release does not know it."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None and revision not in {script.revision for script in _scripts().walk_revisions()}:
        raise UnusableDatabase(
            f"names a database of another release (revision {revision}). Start the release that wrote it or a newer "
            "one, or restore the backup from before the upgrade"
        )
    return revision


def newest_revision() -> str | None:
    """The revision that `migrate` leads to."""
    return _scripts().get_current_head()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_configuration())


def _configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
