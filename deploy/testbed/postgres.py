"""A real PostgreSQL in the hands of a test: a database of its own.

In: a running server. Out: URLs of empty databases. Never: a database that two tests share.
"""

import uuid

from deploy.local.postgres import Postgres

__all__ = ["Postgres", "new_database"]


def new_database(server: Postgres) -> str:
    """Makes an empty database and returns its SQLAlchemy URL."""
    return server.create_database(f"test_{uuid.uuid4().hex[:12]}")
