"""The whole schema: every table of the contract, and the operation that stands for removed ones.

A migration is history. It says everything itself and takes nothing from the
domains' tables but the column types, so that a change of these needs a new
migration to reach a database.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from hubbub.storage.schema import current_moment
from hubbub.storage.types import Json, Number, TextArray, Timestamp

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _identity()
    _projects()
    _conversations()
    _audit()
    _roles()
    _services()
    _catalog()
    _spokes()
    _calls()
    _tasks()
    _coordination()
    _mcpservers()
    _orchestration_log()
    _orchestration_projections()
    _removed_operation()


def _removed_operation() -> None:
    """Call records must point at an operation, also when theirs is gone."""
    operations = sa.table(
        "operations",
        *(sa.column(name, sa.Text()) for name in ("id", "namespace", "name", "version", "type")),
        sa.column("description", sa.Text()),
        *(sa.column(name, Json()) for name in ("input_schema", "output_schema", "access_control")),
    )
    op.execute(
        operations.insert().values(
            id="__removed__",
            namespace="system",
            name="removed",
            version="1.0.0",
            type="query",
            description="Stands in call records for an operation that is no longer defined.",
            input_schema={},
            output_schema={},
            access_control={},
        )
    )


def _common() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("metadata", Json(), server_default="{}"),
        _moment("created_at"),
        _moment("updated_at"),
    )


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, Timestamp(), nullable=False, server_default=current_moment())


def _key(table: str, column: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(column, name=op.f(f"pk_{table}"))


def _reference(table: str, column: str, to: str, ondelete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"), ondelete=ondelete
    )


def _one_of(table: str, column: str, *values: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{column}"))


def _partial(
    name: str,
    table: str,
    columns: list[str],
    *,
    where: str,
    sqlite_where: str | None = None,
    unique: bool = False,
) -> None:
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        postgresql_where=sa.text(where),
        sqlite_where=sa.text(sqlite_where or where),
    )


def _identity() -> None:
    op.create_table(
        "accounts",
        *_common(),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text()),
        sa.Column("access_level", sa.Text(), nullable=False, server_default="user"),
        sa.Column("status", sa.Text(), nullable=False, server_default="active"),
        sa.Column("gitea_username", sa.Text()),
        _key("accounts", "id"),
        _one_of("accounts", "access_level", "admin", "user", "service"),
        _one_of("accounts", "status", "active", "suspended", "deactivated"),
    )
    op.create_index("unq_accounts_email", "accounts", ["email"], unique=True)
    op.create_index("idx_accounts_gitea_username", "accounts", ["gitea_username"])
    op.create_index("idx_accounts_display_name", "accounts", ["display_name"])
    op.create_table(
        "organizations",
        *_common(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("gitea_org_name", sa.Text()),
        _key("organizations", "id"),
        _reference("organizations", "owner_id", "accounts", "RESTRICT"),
    )
    op.create_index("unq_organizations_name", "organizations", ["name"], unique=True)
    op.create_index("unq_organizations_slug", "organizations", ["slug"], unique=True)
    op.create_index("idx_organizations_owner_id", "organizations", ["owner_id"])
    op.create_index("idx_organizations_gitea_org_name", "organizations", ["gitea_org_name"])
    op.create_table(
        "organization_members",
        *_common(),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("membership_level", sa.Text(), nullable=False),
        _key("organization_members", "id"),
        _reference("organization_members", "org_id", "organizations", "CASCADE"),
        _reference("organization_members", "account_id", "accounts", "CASCADE"),
        _one_of("organization_members", "membership_level", "owner", "admin", "member"),
    )
    op.create_index(
        "unq_org_members_org_account", "organization_members", ["org_id", "account_id"], unique=True
    )
    op.create_index("idx_org_members_account_id", "organization_members", ["account_id"])
    op.create_index("idx_org_members_org_id", "organization_members", ["org_id"])
    op.create_table(
        "api_keys",
        *_common(),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("prefix", sa.Text()),
        sa.Column("data", Json(), nullable=False, server_default="{}"),
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("revoked_at", Timestamp()),
        sa.Column("expires_at", Timestamp()),
        sa.Column("last_used_at", Timestamp()),
        sa.Column("rotated_to_id", sa.Text()),
        _key("api_keys", "id"),
        _reference("api_keys", "owner_id", "accounts", "CASCADE"),
        _reference("api_keys", "rotated_to_id", "api_keys", "SET NULL"),
    )
    op.create_index("idx_api_keys_owner_id", "api_keys", ["owner_id"])
    op.create_index("unq_api_keys_key_hash", "api_keys", ["key_hash"], unique=True)
    op.create_index("idx_api_keys_enabled", "api_keys", ["enabled"])
    _partial(
        "idx_api_keys_active",
        "api_keys",
        ["id"],
        where="revoked_at IS NULL AND enabled = true",
        sqlite_where="revoked_at IS NULL AND enabled = 1",
    )


def _projects() -> None:
    op.create_table(
        "projects",
        *_common(),
        sa.Column("org_id", sa.Text()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("directory", sa.Text()),
        sa.Column("repo_url", sa.Text()),
        sa.Column("vcs", sa.Text(), server_default="git"),
        sa.Column("icon_url", sa.Text()),
        sa.Column("icon_color", sa.Text()),
        _key("projects", "id"),
        _reference("projects", "org_id", "organizations", "SET NULL"),
    )
    op.create_index("idx_projects_org_id", "projects", ["org_id"])
    op.create_table(
        "workspaces",
        *_common(),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text()),
        sa.Column("name", sa.Text()),
        sa.Column("directory", sa.Text()),
        sa.Column("extra", Json()),
        _key("workspaces", "id"),
        _reference("workspaces", "project_id", "projects", "CASCADE"),
        _one_of("workspaces", "type", "local", "remote", "container"),
    )
    op.create_index("idx_workspaces_project_id", "workspaces", ["project_id"])


def _conversations() -> None:
    op.create_table(
        "sessions",
        *_common(),
        sa.Column("account_id", sa.Text()),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text()),
        sa.Column("parent_id", sa.Text()),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False, server_default="idle"),
        sa.Column("version", sa.Text(), nullable=False, server_default="1"),
        sa.Column("role_name", sa.Text()),
        sa.Column("data", Json()),
        _key("sessions", "id"),
        _reference("sessions", "account_id", "accounts", "SET NULL"),
        _reference("sessions", "project_id", "projects", "CASCADE"),
        _reference("sessions", "workspace_id", "workspaces", "SET NULL"),
        _reference("sessions", "parent_id", "sessions", "SET NULL"),
        _one_of("sessions", "status", "idle", "busy", "retry", "archived"),
    )
    op.create_index("idx_sessions_project_id", "sessions", ["project_id"])
    op.create_index("idx_sessions_workspace_id", "sessions", ["workspace_id"])
    op.create_index("idx_sessions_status", "sessions", ["status"])
    _partial("idx_sessions_active", "sessions", ["id"], where="status IN ('idle', 'busy', 'retry')")
    op.create_index("idx_sessions_account_id", "sessions", ["account_id"])
    op.create_index("idx_sessions_role_name", "sessions", ["role_name"])
    op.create_index("unq_sessions_slug", "sessions", ["slug"], unique=True)
    op.create_index("idx_sessions_parent_id", "sessions", ["parent_id"])
    op.create_table(
        "messages",
        *_common(),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("data", Json(), nullable=False),
        _key("messages", "id"),
        _reference("messages", "session_id", "sessions", "CASCADE"),
    )
    op.create_index(
        "idx_messages_session_id_created_at_id", "messages", ["session_id", "created_at", "id"]
    )
    op.create_table(
        "parts",
        *_common(),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("data", Json(), nullable=False),
        _key("parts", "id"),
        _reference("parts", "message_id", "messages", "CASCADE"),
        _reference("parts", "session_id", "sessions", "CASCADE"),
    )
    op.create_index("part_session_idx", "parts", ["session_id"])
    op.create_index("part_message_id_id_idx", "parts", ["message_id", "id"])
    op.create_index("idx_parts_session_id_type", "parts", ["session_id", "type"])


def _audit() -> None:
    op.create_table(
        "audit_logs",
        *_common(),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text()),
        sa.Column("session_id", sa.Text()),
        sa.Column("org_id", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("details", Json()),
        _key("audit_logs", "id"),
        _reference("audit_logs", "owner_id", "accounts", "RESTRICT"),
        _reference("audit_logs", "key_id", "api_keys", "SET NULL"),
        _reference("audit_logs", "session_id", "sessions", "SET NULL"),
        _reference("audit_logs", "org_id", "organizations", "SET NULL"),
    )
    op.create_index("idx_audit_logs_owner_id", "audit_logs", ["owner_id"])
    op.create_index("idx_audit_logs_key_id", "audit_logs", ["key_id"])
    op.create_index("idx_audit_logs_action", "audit_logs", ["action"])
    op.create_index("idx_audit_logs_created_at", "audit_logs", ["created_at"])
    op.create_index("idx_audit_logs_session_id", "audit_logs", ["session_id"])
    op.create_index("idx_audit_logs_org_id", "audit_logs", ["org_id"])


def _roles() -> None:
    op.create_table(
        "roles",
        *_common(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("temperature", Number),
        sa.Column("permissions", Json(), nullable=False, server_default="[]"),
        sa.Column("tools", Json(), nullable=False, server_default="{}"),
        sa.Column("parent_id", sa.Text()),
        _key("roles", "id"),
        _reference("roles", "parent_id", "roles", "SET NULL"),
        _one_of("roles", "mode", "primary", "subagent"),
    )
    op.create_index("unq_roles_name", "roles", ["name"], unique=True)
    op.create_index("idx_roles_parent_id", "roles", ["parent_id"])
    op.create_index("idx_roles_mode", "roles", ["mode"])


def _services() -> None:
    op.create_table(
        "clients",
        *_common(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("config", Json(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text()),
        _key("clients", "id"),
        _reference("clients", "owner_id", "accounts", "RESTRICT"),
        _reference("clients", "org_id", "organizations", "SET NULL"),
    )
    op.create_index("unq_clients_name", "clients", ["name"], unique=True)
    op.create_index("idx_clients_type", "clients", ["type"])
    op.create_index("idx_clients_owner_id", "clients", ["owner_id"])
    op.create_index("idx_clients_org_id", "clients", ["org_id"])
    op.create_table(
        "client_secrets",
        *_common(),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", Json(), nullable=False),
        sa.Column("expires_at", Timestamp()),
        _key("client_secrets", "id"),
        _reference("client_secrets", "client_id", "clients", "CASCADE"),
    )
    op.create_index(
        "unq_client_secrets_client_key", "client_secrets", ["client_id", "key"], unique=True
    )
    op.create_index("idx_client_secrets_expires_at", "client_secrets", ["expires_at"])


def _catalog() -> None:
    op.create_table(
        "operations",
        *_common(),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("input_schema", Json(), nullable=False),
        sa.Column("output_schema", Json(), nullable=False),
        sa.Column("access_control", Json(), nullable=False),
        sa.Column("error_schemas", Json()),
        sa.Column("tags", TextArray()),
        sa.Column("_meta", Json()),
        _key("operations", "id"),
        _one_of("operations", "type", "query", "mutation", "subscription"),
    )
    op.create_index(
        "unq_operations_namespace_name", "operations", ["namespace", "name"], unique=True
    )
    op.create_index("idx_operations_namespace", "operations", ["namespace"])
    op.create_index("idx_operations_type", "operations", ["type"])
    op.create_table(
        "operation_registrations",
        *_common(),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("provider_type", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False, server_default="active"),
        sa.Column("pre_remap_namespace", sa.Text()),
        sa.Column("pre_remap_name", sa.Text()),
        _moment("registered_at"),
        _key("operation_registrations", "id"),
        _reference("operation_registrations", "operation_id", "operations", "CASCADE"),
        _one_of("operation_registrations", "provider_type", "spoke", "client"),
        _one_of("operation_registrations", "status", "active", "inactive"),
    )
    _partial(
        "unq_operation_registrations_active",
        "operation_registrations",
        ["operation_id", "provider_type", "provider_id"],
        where="status = 'active'",
        unique=True,
    )
    op.create_index(
        "idx_operation_registrations_operation_id", "operation_registrations", ["operation_id"]
    )
    op.create_index(
        "idx_operation_registrations_provider_id", "operation_registrations", ["provider_id"]
    )
    op.create_index("idx_operation_registrations_status", "operation_registrations", ["status"])


def _spokes() -> None:
    op.create_table(
        "spokes",
        *_common(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False, server_default="connected"),
        sa.Column("spoke_type", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text()),
        sa.Column("last_heartbeat", Timestamp()),
        sa.Column("host_info", Json()),
        sa.Column("connected_at", Timestamp()),
        sa.Column("disconnected_at", Timestamp()),
        _key("spokes", "id"),
        _reference("spokes", "project_id", "projects", "SET NULL"),
        _one_of("spokes", "status", "connected", "disconnected"),
        _one_of("spokes", "spoke_type", "dev-env", "client", "compute"),
    )
    op.create_index("idx_spokes_project_id", "spokes", ["project_id"])
    op.create_index("idx_spokes_status", "spokes", ["status"])
    _partial("idx_spokes_active", "spokes", ["id"], where="status = 'connected'")
    op.create_index("idx_spokes_name", "spokes", ["name"])


def _calls() -> None:
    op.create_table(
        "call_graph_nodes",
        *_common(),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("parent_request_id", sa.Text()),
        sa.Column("identity", Json()),
        sa.Column("caller_account_id", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False, server_default="pending"),
        sa.Column("input", Json()),
        sa.Column("output", Json()),
        sa.Column("error", Json()),
        sa.Column("started_at", Timestamp()),
        sa.Column("completed_at", Timestamp()),
        _key("call_graph_nodes", "id"),
        _reference("call_graph_nodes", "operation_id", "operations", "RESTRICT"),
        _reference("call_graph_nodes", "caller_account_id", "accounts", "SET NULL"),
        _one_of(
            "call_graph_nodes", "status", "pending", "running", "completed", "failed", "aborted"
        ),
    )
    op.create_index(
        "idx_call_graph_nodes_request_id", "call_graph_nodes", ["request_id"], unique=True
    )
    op.create_index("idx_call_graph_nodes_operation_id", "call_graph_nodes", ["operation_id"])
    op.create_index("idx_call_graph_nodes_status", "call_graph_nodes", ["status"])
    op.create_index(
        "idx_call_graph_nodes_caller_account_id", "call_graph_nodes", ["caller_account_id"]
    )
    op.create_index("idx_call_graph_nodes_created_at", "call_graph_nodes", ["created_at"])
    op.create_index(
        "idx_call_graph_nodes_operation_created", "call_graph_nodes", ["operation_id", "created_at"]
    )
    op.create_index("idx_call_graph_nodes_started_at", "call_graph_nodes", ["started_at"])
    op.create_table(
        "call_graph_edges",
        *_common(),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("edge_type", sa.Text(), nullable=False),
        _key("call_graph_edges", "id"),
        _reference("call_graph_edges", "source_id", "call_graph_nodes", "CASCADE"),
        _reference("call_graph_edges", "target_id", "call_graph_nodes", "CASCADE"),
        _one_of("call_graph_edges", "edge_type", "triggered", "depends_on"),
    )
    op.create_index("idx_call_graph_edges_source_id", "call_graph_edges", ["source_id"])
    op.create_index("idx_call_graph_edges_target_id", "call_graph_edges", ["target_id"])
    op.create_index(
        "idx_call_graph_edges_source_id_type", "call_graph_edges", ["source_id", "edge_type"]
    )
    op.create_index(
        "unq_call_graph_edges_source_target_type",
        "call_graph_edges",
        ["source_id", "target_id", "edge_type"],
        unique=True,
    )


def _tasks() -> None:
    op.create_table(
        "tasks",
        *_common(),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False, server_default="pending"),
        sa.Column("scope", sa.Text()),
        sa.Column("risk", sa.Text()),
        sa.Column("impact", sa.Text()),
        sa.Column("level", sa.Text()),
        sa.Column("priority", sa.Text()),
        sa.Column("tags", TextArray()),
        sa.Column("assignee", sa.Text()),
        sa.Column("due_at", Timestamp()),
        sa.Column("body", sa.Text()),
        sa.Column("file_created_at", Timestamp()),
        sa.Column("file_modified_at", Timestamp()),
        sa.Column("started_at", Timestamp()),
        sa.Column("completed_at", Timestamp()),
        _key("tasks", "id"),
        _reference("tasks", "project_id", "projects", "CASCADE"),
        _one_of("tasks", "status", "pending", "in-progress", "completed", "failed", "blocked"),
        _one_of("tasks", "scope", "single", "narrow", "moderate", "broad", "system"),
        _one_of("tasks", "risk", "trivial", "low", "medium", "high", "critical"),
        _one_of("tasks", "impact", "isolated", "component", "phase", "project"),
        _one_of(
            "tasks", "level", "planning", "decomposition", "implementation", "review", "research"
        ),
        _one_of("tasks", "priority", "low", "medium", "high", "critical"),
    )
    op.create_index("unq_tasks_project_slug", "tasks", ["project_id", "slug"], unique=True)
    op.create_index("idx_tasks_project_id", "tasks", ["project_id"])
    op.create_index("idx_tasks_project_status", "tasks", ["project_id", "status"])
    op.create_index("idx_tasks_status", "tasks", ["status"])
    _partial(
        "idx_tasks_active", "tasks", ["id"], where="status IN ('pending', 'in-progress', 'blocked')"
    )
    op.create_index(
        "idx_tasks_path", "tasks", ["path"], postgresql_ops={"path": "text_pattern_ops"}
    )
    op.create_index("idx_tasks_priority", "tasks", ["priority"])
    op.create_index("idx_tasks_assignee", "tasks", ["assignee"])
    op.create_index("idx_tasks_due_at", "tasks", ["due_at"])
    op.create_index("idx_tasks_tags", "tasks", ["tags"], postgresql_using="gin")
    op.create_table(
        "task_dependencies",
        *_common(),
        sa.Column("depends_on_task_id", sa.Text(), nullable=False),
        sa.Column("dependent_task_id", sa.Text(), nullable=False),
        sa.Column("quality_retention", Number),
        _key("task_dependencies", "id"),
        _reference("task_dependencies", "depends_on_task_id", "tasks", "CASCADE"),
        _reference("task_dependencies", "dependent_task_id", "tasks", "CASCADE"),
        sa.CheckConstraint(
            "depends_on_task_id <> dependent_task_id", name=op.f("ck_task_dependencies_not_itself")
        ),
    )
    op.create_index(
        "unq_task_dependencies_depends_on_task",
        "task_dependencies",
        ["depends_on_task_id", "dependent_task_id"],
        unique=True,
    )
    op.create_index(
        "idx_task_dependencies_depends_on_task_id", "task_dependencies", ["depends_on_task_id"]
    )
    op.create_index(
        "idx_task_dependencies_dependent_task_id", "task_dependencies", ["dependent_task_id"]
    )


def _coordination() -> None:
    op.create_table(
        "mappings",
        *_common(),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("spoke_id", sa.Text()),
        sa.Column("workspace_id", sa.Text()),
        sa.Column("parent_session_id", sa.Text()),
        sa.Column("task_id", sa.Text()),
        sa.Column("task", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False, server_default="active"),
        _key("mappings", "id"),
        _reference("mappings", "session_id", "sessions", "CASCADE"),
        _reference("mappings", "spoke_id", "spokes", "SET NULL"),
        _reference("mappings", "workspace_id", "workspaces", "SET NULL"),
        _reference("mappings", "parent_session_id", "sessions", "SET NULL"),
        _reference("mappings", "task_id", "tasks", "SET NULL"),
        _one_of("mappings", "status", "active", "completed", "aborted", "failed"),
    )
    op.create_index("idx_mappings_session_id", "mappings", ["session_id"])
    op.create_index("idx_mappings_parent_session_id", "mappings", ["parent_session_id"])
    op.create_index("idx_mappings_spoke_id", "mappings", ["spoke_id"])
    op.create_index("idx_mappings_task_id", "mappings", ["task_id"])
    op.create_index("idx_mappings_workspace_id", "mappings", ["workspace_id"])
    op.create_table(
        "detections",
        *_common(),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("anomaly_type", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text()),
        sa.Column("details", Json()),
        sa.Column("dedup_key", sa.Text()),
        sa.Column("resolved_at", Timestamp()),
        sa.Column("resolved_by", sa.Text()),
        _key("detections", "id"),
        _reference("detections", "session_id", "sessions", "CASCADE"),
        _reference("detections", "resolved_by", "accounts", "SET NULL"),
    )
    op.create_index("idx_detections_session_id", "detections", ["session_id"])
    op.create_index("idx_detections_anomaly_type", "detections", ["anomaly_type"])
    op.create_index("idx_detections_resolved_at", "detections", ["resolved_at"])
    op.create_index("idx_detections_dedup_key", "detections", ["dedup_key"])


def _mcpservers() -> None:
    op.create_table(
        "mcpservers_registry",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("package", sa.Text()),
        sa.Column("remote", sa.Boolean(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("server_embedding", sa.LargeBinary()),
        sa.Column("group", sa.Text(), nullable=False, server_default="default"),
        _moment("last_updated"),
        _moment("created_at"),
        _key("mcpservers_registry", "id"),
        sa.CheckConstraint(
            "(remote AND url IS NOT NULL) OR (NOT remote AND package IS NOT NULL)",
            name=op.f("ck_mcpservers_registry_identifier"),
        ),
        _one_of("mcpservers_registry", "transport", "sse", "streamable-http", "stdio"),
    )
    _partial(
        "idx_registry_url",
        "mcpservers_registry",
        ["url"],
        where="remote = true",
        sqlite_where="remote = 1",
        unique=True,
    )
    _partial(
        "idx_registry_package",
        "mcpservers_registry",
        ["package"],
        where="remote = false",
        sqlite_where="remote = 0",
        unique=True,
    )
    op.create_index("idx_registry_remote", "mcpservers_registry", ["remote"])
    op.create_table(
        "mcpservers_workload",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workload_name", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("package", sa.Text()),
        sa.Column("remote", sa.Boolean(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("registry_server_id", sa.Text()),
        sa.Column("registry_server_name", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("server_embedding", sa.LargeBinary()),
        sa.Column("group", sa.Text(), nullable=False, server_default="default"),
        _moment("last_updated"),
        _moment("created_at"),
        _key("mcpservers_workload", "id"),
        _reference("mcpservers_workload", "registry_server_id", "mcpservers_registry", "SET NULL"),
        sa.CheckConstraint(
            "(remote AND url IS NOT NULL) OR (NOT remote AND package IS NOT NULL)",
            name=op.f("ck_mcpservers_workload_identifier"),
        ),
        sa.CheckConstraint(
            "registry_server_id IS NOT NULL OR description IS NOT NULL",
            name=op.f("ck_mcpservers_workload_description"),
        ),
        _one_of("mcpservers_workload", "transport", "sse", "streamable-http", "stdio"),
        _one_of("mcpservers_workload", "status", "running", "stopped", "error"),
    )
    op.create_index(
        "unq_mcpservers_workload_workload_name",
        "mcpservers_workload",
        ["workload_name"],
        unique=True,
    )
    op.create_index(
        "idx_workload_registry_server_id", "mcpservers_workload", ["registry_server_id"]
    )
    op.create_index("idx_workload_remote", "mcpservers_workload", ["remote"])
    op.create_index("idx_workload_status", "mcpservers_workload", ["status"])
    op.create_table(
        "tools_registry",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("mcpserver_id", sa.Text(), nullable=False),
        sa.Column(
            "name", sa.Text(), sa.Computed("details ->> 'name'", persisted=True), nullable=False
        ),
        sa.Column("details", Json(), nullable=False),
        sa.Column("details_embedding", sa.LargeBinary()),
        _moment("last_updated"),
        _moment("created_at"),
        _key("tools_registry", "id"),
        _reference("tools_registry", "mcpserver_id", "mcpservers_registry", "CASCADE"),
    )
    op.create_index(
        "unq_tools_registry_mcpserver_id_name",
        "tools_registry",
        ["mcpserver_id", "name"],
        unique=True,
    )
    op.create_index("idx_tools_registry_mcpserver_id", "tools_registry", ["mcpserver_id"])
    op.create_table(
        "tools_workload",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("mcpserver_id", sa.Text(), nullable=False),
        sa.Column(
            "name", sa.Text(), sa.Computed("details ->> 'name'", persisted=True), nullable=False
        ),
        sa.Column("details", Json(), nullable=False),
        sa.Column("details_embedding", sa.LargeBinary()),
        _moment("last_updated"),
        _moment("created_at"),
        _key("tools_workload", "id"),
        _reference("tools_workload", "mcpserver_id", "mcpservers_workload", "CASCADE"),
    )
    op.create_index(
        "unq_tools_workload_mcpserver_id_name",
        "tools_workload",
        ["mcpserver_id", "name"],
        unique=True,
    )
    op.create_index("idx_tools_workload_mcpserver_id", "tools_workload", ["mcpserver_id"])


def _orchestration_log() -> None:
    op.create_table(
        "orchestration_events",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("aggregate_kind", sa.Text(), nullable=False),
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("stream_version", sa.Integer(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text()),
        sa.Column("causation_event_id", sa.Text()),
        sa.Column("correlation_id", sa.Text()),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("payload_json", sa.Text(), nullable=False),
        sa.Column("metadata_json", sa.Text(), nullable=False),
        _key("orchestration_events", "sequence"),
        _one_of("orchestration_events", "aggregate_kind", "project", "thread"),
        _one_of("orchestration_events", "actor_kind", "client", "server", "provider"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "unq_orchestration_events_event_id", "orchestration_events", ["event_id"], unique=True
    )
    op.create_index(
        "idx_orch_events_stream_version",
        "orchestration_events",
        ["aggregate_kind", "stream_id", "stream_version"],
        unique=True,
    )
    op.create_index(
        "idx_orch_events_stream_sequence",
        "orchestration_events",
        ["aggregate_kind", "stream_id", "sequence"],
    )
    op.create_index("idx_orch_events_command_id", "orchestration_events", ["command_id"])
    op.create_index("idx_orch_events_correlation_id", "orchestration_events", ["correlation_id"])
    op.create_table(
        "orchestration_command_receipts",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("aggregate_kind", sa.Text(), nullable=False),
        sa.Column("aggregate_id", sa.Text(), nullable=False),
        sa.Column("accepted_at", sa.Text(), nullable=False),
        sa.Column("result_sequence", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        _key("orchestration_command_receipts", "command_id"),
        _one_of("orchestration_command_receipts", "aggregate_kind", "project", "thread"),
        _one_of("orchestration_command_receipts", "status", "accepted", "rejected"),
    )
    op.create_index(
        "idx_orch_command_receipts_aggregate",
        "orchestration_command_receipts",
        ["aggregate_kind", "aggregate_id"],
    )
    op.create_index(
        "idx_orch_command_receipts_sequence", "orchestration_command_receipts", ["result_sequence"]
    )
    op.create_table(
        "checkpoint_diff_blobs",
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("from_turn_count", sa.Integer(), nullable=False),
        sa.Column("to_turn_count", sa.Integer(), nullable=False),
        sa.Column("diff", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
    )
    op.create_index(
        "unq_checkpoint_diff_blobs_thread_from_to",
        "checkpoint_diff_blobs",
        ["thread_id", "from_turn_count", "to_turn_count"],
        unique=True,
    )
    op.create_index(
        "idx_checkpoint_diff_blobs_thread_to_turn",
        "checkpoint_diff_blobs",
        ["thread_id", "to_turn_count"],
    )
    op.create_table(
        "provider_session_runtime",
        sa.Column("provider_session_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("provider_name", sa.Text(), nullable=False),
        sa.Column("adapter_key", sa.Text(), nullable=False),
        sa.Column("provider_thread_id", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("last_seen_at", sa.Text(), nullable=False),
        sa.Column("resume_cursor_json", sa.Text()),
        sa.Column("runtime_payload_json", sa.Text()),
        _key("provider_session_runtime", "provider_session_id"),
        _one_of("provider_session_runtime", "status", "starting", "running", "stopped", "error"),
    )
    op.create_index(
        "idx_provider_session_runtime_thread", "provider_session_runtime", ["thread_id"]
    )
    op.create_index("idx_provider_session_runtime_status", "provider_session_runtime", ["status"])
    op.create_index(
        "idx_provider_session_runtime_provider", "provider_session_runtime", ["provider_name"]
    )


def _orchestration_projections() -> None:
    op.create_table(
        "projection_projects",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("workspace_root", sa.Text(), nullable=False),
        sa.Column("default_model", sa.Text()),
        sa.Column("scripts_json", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.Text()),
        _key("projection_projects", "project_id"),
    )
    op.create_index("idx_projection_projects_updated_at", "projection_projects", ["updated_at"])
    op.create_table(
        "projection_threads",
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text()),
        sa.Column("worktree_path", sa.Text()),
        sa.Column("latest_turn_id", sa.Text()),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.Text()),
        _key("projection_threads", "thread_id"),
    )
    op.create_index("idx_projection_threads_project_id", "projection_threads", ["project_id"])
    op.create_table(
        "projection_thread_messages",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("turn_id", sa.Text()),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("is_streaming", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        _key("projection_thread_messages", "message_id"),
        _one_of("projection_thread_messages", "role", "user", "assistant", "system"),
        sa.CheckConstraint(
            "is_streaming IN (0, 1)", name=op.f("ck_projection_thread_messages_is_streaming")
        ),
    )
    op.create_index(
        "idx_projection_thread_messages_thread_created",
        "projection_thread_messages",
        ["thread_id", "created_at"],
    )
    op.create_table(
        "projection_thread_activities",
        sa.Column("activity_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("turn_id", sa.Text()),
        sa.Column("tone", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("payload_json", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        _key("projection_thread_activities", "activity_id"),
        _one_of("projection_thread_activities", "tone", "info", "tool", "approval", "error"),
    )
    op.create_index(
        "idx_projection_thread_activities_thread_created",
        "projection_thread_activities",
        ["thread_id", "created_at"],
    )
    op.create_table(
        "projection_thread_sessions",
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("provider_name", sa.Text()),
        sa.Column("provider_session_id", sa.Text()),
        sa.Column("provider_thread_id", sa.Text()),
        sa.Column("active_turn_id", sa.Text()),
        sa.Column("last_error", sa.Text()),
        sa.Column("updated_at", sa.Text(), nullable=False),
        _key("projection_thread_sessions", "thread_id"),
        _one_of(
            "projection_thread_sessions",
            "status",
            "idle",
            "starting",
            "running",
            "ready",
            "interrupted",
            "stopped",
            "error",
        ),
    )
    op.create_index(
        "idx_projection_thread_sessions_provider_session",
        "projection_thread_sessions",
        ["provider_session_id"],
    )
    op.create_table(
        "projection_thread_turns",
        sa.Column("turn_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("turn_count", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("user_message_id", sa.Text()),
        sa.Column("assistant_message_id", sa.Text()),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("completed_at", sa.Text()),
        _key("projection_thread_turns", "turn_id"),
        _one_of(
            "projection_thread_turns", "status", "running", "completed", "interrupted", "error"
        ),
    )
    op.create_index(
        "unq_projection_thread_turns_thread_turn_count",
        "projection_thread_turns",
        ["thread_id", "turn_count"],
        unique=True,
    )
    op.create_index(
        "idx_projection_thread_turns_thread_turn_count",
        "projection_thread_turns",
        ["thread_id", "turn_count"],
    )
    op.create_table(
        "projection_checkpoints",
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("turn_id", sa.Text(), nullable=False),
        sa.Column("checkpoint_turn_count", sa.Integer(), nullable=False),
        sa.Column("checkpoint_ref", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("files_json", sa.Text(), nullable=False),
        sa.Column("assistant_message_id", sa.Text()),
        sa.Column("completed_at", sa.Text(), nullable=False),
        _one_of("projection_checkpoints", "status", "ready", "missing", "error"),
    )
    op.create_index(
        "unq_projection_checkpoints_thread_turn_count",
        "projection_checkpoints",
        ["thread_id", "checkpoint_turn_count"],
        unique=True,
    )
    op.create_index(
        "idx_projection_checkpoints_thread_completed",
        "projection_checkpoints",
        ["thread_id", "completed_at"],
    )
    op.create_table(
        "projection_pending_approvals",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("turn_id", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text()),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("resolved_at", sa.Text()),
        _key("projection_pending_approvals", "request_id"),
        _one_of("projection_pending_approvals", "status", "pending", "resolved"),
        _one_of(
            "projection_pending_approvals",
            "decision",
            "accept",
            "acceptForSession",
            "decline",
            "cancel",
        ),
    )
    op.create_index(
        "idx_projection_pending_approvals_thread_status",
        "projection_pending_approvals",
        ["thread_id", "status"],
    )
    op.create_table(
        "projection_state",
        sa.Column("projector", sa.Text(), nullable=False),
        sa.Column("last_applied_sequence", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        _key("projection_state", "projector"),
    )
