"""Operations as they are defined, and as they are offered right now."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from hubbub.storage.schema import common_columns, metadata, moment, one_of, partial_index
from hubbub.storage.types import Json, TextArray

operations = Table(
    "operations",
    metadata,
    *common_columns(),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("title", Text),
    Column("description", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("input_schema", Json, nullable=False),
    Column("output_schema", Json, nullable=False),
    Column("access_control", Json, nullable=False),
    Column("error_schemas", Json),
    Column("tags", TextArray),
    # The definition's own; `metadata` is the hub's.
    Column("_meta", Json),
    one_of("type", "query", "mutation", "subscription"),
    Index("unq_operations_namespace_name", "namespace", "name", unique=True),
    Index("idx_operations_namespace", "namespace"),
    Index("idx_operations_type", "type"),
)

operation_registrations = Table(
    "operation_registrations",
    metadata,
    *common_columns(),
    Column("operation_id", Text, ForeignKey("operations.id", ondelete="CASCADE"), nullable=False),
    Column("provider_type", Text, nullable=False),
    # A spoke or a client, so no foreign key: whoever deletes one deletes these with it.
    Column("provider_id", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="active"),
    Column("pre_remap_namespace", Text),
    Column("pre_remap_name", Text),
    moment("registered_at"),
    one_of("provider_type", "spoke", "client"),
    one_of("status", "active", "inactive"),
    partial_index(
        "unq_operation_registrations_active",
        "operation_id",
        "provider_type",
        "provider_id",
        where="status = 'active'",
        unique=True,
    ),
    Index("idx_operation_registrations_operation_id", "operation_id"),
    Index("idx_operation_registrations_provider_id", "provider_id"),
    Index("idx_operation_registrations_status", "status"),
)
