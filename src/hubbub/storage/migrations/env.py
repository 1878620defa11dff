"""Alembic's entry: runs on the connection it is given, in the transaction that is open on it."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # Only a comparison needs the declared tables. They belong to the domains above
    # storage, so whoever compares passes them in.
    target_metadata=context.config.attributes.get("target_metadata"),
)
with context.begin_transaction():
    context.run_migrations()
