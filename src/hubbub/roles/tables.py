"""Roles."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from hubbub.storage.schema import common_columns, metadata, one_of
from hubbub.storage.types import Json, Number

roles = Table(
    "roles",
    metadata,
    *common_columns(),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("mode", Text, nullable=False),
    Column("temperature", Number),
    # Rules in order; the first that matches decides.
    Column("permissions", Json, nullable=False, server_default="[]"),
    Column("tools", Json, nullable=False, server_default="{}"),
    Column("parent_id", Text, ForeignKey("roles.id", ondelete="SET NULL")),
    one_of("mode", "primary", "subagent"),
    Index("unq_roles_name", "name", unique=True),
    Index("idx_roles_parent_id", "parent_id"),
    Index("idx_roles_mode", "mode"),
)
