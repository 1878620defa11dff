"""Clients, and the secrets they need."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table, Text, true

from hubbub.storage.schema import common_columns, metadata
from hubbub.storage.types import Json, RawJson, Timestamp

clients = Table(
    "clients",
    metadata,
    *common_columns(),
    Column("name", Text, nullable=False),
    # An open list: configuration that old readers cannot follow takes a new type.
    Column("type", Text, nullable=False),
    Column("config", RawJson, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("owner_id", Text, ForeignKey("accounts.id", ondelete="RESTRICT"), nullable=False),
    Column("org_id", Text, ForeignKey("organizations.id", ondelete="SET NULL")),
    Index("unq_clients_name", "name", unique=True),
    Index("idx_clients_type", "type"),
    Index("idx_clients_owner_id", "owner_id"),
    Index("idx_clients_org_id", "org_id"),
)

client_secrets = Table(
    "client_secrets",
    metadata,
    *common_columns(),
    Column("client_id", Text, ForeignKey("clients.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    # Encrypted, with the version of the key it is encrypted with.
    Column("value", Json, nullable=False),
    Column("expires_at", Timestamp),
    Index("unq_client_secrets_client_key", "client_id", "key", unique=True),
    Index("idx_client_secrets_expires_at", "expires_at"),
)
