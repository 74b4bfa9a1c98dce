"""Runs alembic on the connection that `consumers.store.database` gives it."""

from alembic import context

from consumers.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
