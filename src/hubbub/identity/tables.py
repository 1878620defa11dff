"""Accounts, organizations, their members, keys, and the audit trail."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table, Text, true

from hubbub.storage.schema import common_columns, metadata, one_of, partial_index
from hubbub.storage.types import Json, Timestamp

accounts = Table(
    "accounts",
    metadata,
    *common_columns(),
    Column("email", Text, nullable=False),
    Column("display_name", Text),
    Column("access_level", Text, nullable=False, server_default="user"),
    Column("status", Text, nullable=False, server_default="active"),
    Column("gitea_username", Text),
    one_of("access_level", "admin", "user", "service"),
    one_of("status", "active", "suspended", "deactivated"),
    Index("unq_accounts_email", "email", unique=True),
    Index("idx_accounts_gitea_username", "gitea_username"),
    Index("idx_accounts_display_name", "display_name"),
)

organizations = Table(
    "organizations",
    metadata,
    *common_columns(),
    Column("name", Text, nullable=False),
    Column("slug", Text, nullable=False),
    # Ownership is handed over before the owner can be deleted.
    Column("owner_id", Text, ForeignKey("accounts.id", ondelete="RESTRICT"), nullable=False),
    Column("gitea_org_name", Text),
    Index("unq_organizations_name", "name", unique=True),
    Index("unq_organizations_slug", "slug", unique=True),
    Index("idx_organizations_owner_id", "owner_id"),
    Index("idx_organizations_gitea_org_name", "gitea_org_name"),
)

organization_members = Table(
    "organization_members",
    metadata,
    *common_columns(),
    Column("org_id", Text, ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("account_id", Text, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("membership_level", Text, nullable=False),
    one_of("membership_level", "owner", "admin", "member"),
    Index("unq_org_members_org_account", "org_id", "account_id", unique=True),
    Index("idx_org_members_account_id", "account_id"),
    Index("idx_org_members_org_id", "org_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    *common_columns(),
    Column("owner_id", Text, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("key_hash", Text, nullable=False),
    Column("name", Text),
    Column("prefix", Text),
    Column("data", Json, nullable=False, server_default="{}"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("revoked_at", Timestamp),
    Column("expires_at", Timestamp),
    Column("last_used_at", Timestamp),
    Column("rotated_to_id", Text, ForeignKey("api_keys.id", ondelete="SET NULL")),
    Index("idx_api_keys_owner_id", "owner_id"),
    Index("unq_api_keys_key_hash", "key_hash", unique=True),
    Index("idx_api_keys_enabled", "enabled"),
    partial_index(
        "idx_api_keys_active",
        "id",
        where="revoked_at IS NULL AND enabled = true",
        sqlite_where="revoked_at IS NULL AND enabled = 1",
    ),
)

audit_logs = Table(
    "audit_logs",
    metadata,
    *common_columns(),
    # Whoever stands in the trail can be deactivated, not deleted.
    Column("owner_id", Text, ForeignKey("accounts.id", ondelete="RESTRICT"), nullable=False),
    Column("key_id", Text, ForeignKey("api_keys.id", ondelete="SET NULL")),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="SET NULL")),
    Column("org_id", Text, ForeignKey("organizations.id", ondelete="SET NULL")),
    Column("action", Text, nullable=False),
    Column("details", Json),
    Index("idx_audit_logs_owner_id", "owner_id"),
    Index("idx_audit_logs_key_id", "key_id"),
    Index("idx_audit_logs_action", "action"),
    Index("idx_audit_logs_created_at", "created_at"),
    Index("idx_audit_logs_session_id", "session_id"),
    Index("idx_audit_logs_org_id", "org_id"),
)
