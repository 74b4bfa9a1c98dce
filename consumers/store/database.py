"""Opening the store's database and bringing its schema up to date.

In: a SQLAlchemy URL. Out: an engine whose schema is the newest.
Never: create tables in any other way than by the migrations.
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
#: Any number that nobody else takes in this database.
MIGRATION_LOCK = 0x616C6C69616E6365
#: SQLite's words.
NO_DATABASE = "file is not a database"


def open_engine(url: str) -> Engine:
    """An engine; SQLite keeps a write-ahead log so that readers and the store do not block each other."""
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def is_missing_file(engine: Engine) -> bool:
    """Whether connecting would make a file."""
    path = engine.url.database
    return engine.dialect.name == "sqlite" and bool(path) and path != ":memory:" and not Path(str(path)).exists()


def why_not_writable(engine: Engine) -> str | None:
    """Why the store could not write into a file of SQLite, or not make it; None when it could. Nothing stays behind."""
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        return None
    file = Path(path)
    try:
        # Its log lies beside it, so the folder must be writable too.
        with TemporaryFile(dir=file.parent), file.open("r+b") if file.exists() else nullcontext():
            return None
    except OSError as error:
        return f"{file} cannot be written ({error.strerror})"


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.execute("PRAGMA synchronous=FULL")
    # Keys are digests, so a batch touches most pages of an index: keep them in memory (64 MB), and write the log back
    # to the tables after 40 MB of it, not after 4.
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.execute("PRAGMA wal_autocheckpoint=10000")
    cursor.close()


class NotOurs(Exception):
    """What the URL names is no database that this release can work with; the message says what it is instead."""


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision; raises `NotOurs`.

    Of several stores that start at once, one does it and the others wait for it.
    """
    with our_database(), engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        revision_of(connection)
        config = _configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def our_database() -> Iterator[None]:
    """Say of a file that is no database that it is none."""
    try:
        yield
    except DatabaseError as error:
        if str(error.orig) != NO_DATABASE:
            raise
        raise NotOurs("names a file that is no SQLite database. Name another file, or move that one away") from None


def revision_of(connection: Connection) -> str | None:
    """The schema's revision, None before the first; raises `NotOurs` for one that this release does not know."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None and revision not in {one.revision for one in _scripts().walk_revisions()}:
        raise NotOurs(
            f"names a database of another release (revision {revision}). Start the release that wrote it, a newer one, "
            "or restore the backup from before the upgrade"
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
