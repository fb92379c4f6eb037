"""Alembic's entry point; the connection is handed in by ``Database.migrate``."""

from alembic import context

from trainyard_api.store.models import Base


def run() -> None:
    """Run the migrations on the connection that the caller opened."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


run()
