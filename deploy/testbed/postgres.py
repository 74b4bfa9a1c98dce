"""A real PostgreSQL for tests and benchmarks: an empty database for each.

In: a running server. Out: URLs of empty databases.
Never: a database that two tests share.
"""

import uuid

from deploy.local.postgres import Postgres

__all__ = ["Postgres", "new_database"]


def new_database(server: Postgres) -> str:
    """Create an empty database; return its SQLAlchemy URL."""
    return server.create_database(f"test_{uuid.uuid4().hex[:12]}")
