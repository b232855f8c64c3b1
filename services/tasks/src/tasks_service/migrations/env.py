"""Alembic's entry: runs the migrations on the connection `tasks_service.migrate` hands over."""

from alembic import context

from tasks_service.models import metadata

connection = context.config.attributes["connection"]
# Waiting longer for a table would make every request to it queue up behind the migration.
connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
