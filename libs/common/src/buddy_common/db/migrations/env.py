"""Alembic's entry: runs inside the connection that `buddy_common.db.migrate` opened."""

from alembic import context

from buddy_common.db.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite cannot alter a column in place
    compare_type=True,
)
context.run_migrations()
