"""Where alembic meets the store: it works on the connection that `consumers.store.database` hands over."""

from alembic import context

from consumers.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
