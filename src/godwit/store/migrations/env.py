"""Run by Alembic for each command; the connection comes from `migrations.migrate`, already in a transaction."""

from __future__ import annotations

from alembic import context

from godwit.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
