"""Opening the store's database and bringing its schema up to date.

In: a SQLAlchemy URL. Out: an engine whose schema is the newest.
Never: create tables in any other way than by the migrations.
"""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event

MIGRATIONS = Path(__file__).parent / "migrations"


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


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
