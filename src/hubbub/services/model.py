"""What a client is: an external service that the hub connects to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from hubbub.protocol.specs import ANYBODY, AccessControl
from hubbub.services.encryption import Encrypted

MCP_SERVER: Final = "mcp-server"
HTTP_API: Final = "http-api"
MCP_REGISTRY: Final = "mcp-registry"
MCP_WORKLOADS: Final = "mcp-workloads"

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Config(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """What every type of client can be told. `${secret:NAME}` in a text stands for a secret."""

    access: AccessControl = ANYBODY
    """Who may call what it offers; by default everybody with a key."""
    group: str = "default"
    connect_timeout_s: Seconds = 30.0
    call_timeout_s: Seconds | None = None
    """By default what the caller allows."""
    concurrency_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64


class OAuth(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """What the hub is to say where it asks to be let in. Most servers want nothing of it said."""

    grant: Literal["code", "client-credentials"] = "code"
    """Whether a person agrees to it, or the hub has credentials of its own."""
    client_id: str | None = None
    """Where the hub is registered already; otherwise it registers itself."""
    client_secret: str | None = None
    issuer: str | None = None
    """The authorization server that knows the client's id. It is shown to no other."""
    scope: str | None = None
    """What to ask for, instead of what the server proposes."""
    redirect_url: str | None = None
    """The hub's own `/oauth/callback`, as the person's browser reaches it."""
    metadata_url: str | None = None
    """Where a document says who the hub is, for servers that read one instead of registering it."""


class McpServer(Config, frozen=True, kw_only=True):
    """How an MCP server is reached: by a command that is run, or by a URL."""

    transport: Literal["stdio", "streamable-http", "sse"]
    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    cwd: str | None = None
    url: str | None = None
    headers: dict[str, str] = {}
    oauth: OAuth | None = None
    session: Literal["account", "shared"] = "account"
    """Whether each account has a session of its own, or all share one. A server of the newer
    revision has none to share."""
    poll_s: Seconds = 300.0
    """How often it is asked for its tools, where it does not tell of changes."""


class HttpApi(Config, frozen=True, kw_only=True):
    """An HTTP API that an OpenAPI document describes."""

    base_url: str
    document: str | None = None
    """Where the document can be fetched again; None where it was given as a text."""
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    """Sent with every request, as an API key that goes into the query."""


class McpRegistry(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """Where it is told which MCP servers can be had."""

    location: str
    """A URL or a path."""
    form: Literal["api", "document"] = "document"
    """Whether it answers as the official registry does, page by page, or is one document: of the
    official registry, of ToolHive, of Docker, or one that MCP clients read."""
    headers: dict[str, str] = {}
    every_s: Seconds = 86_400.0
    """How often it is asked."""


class McpWorkloads(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """Where it is told which MCP servers run."""

    kind: Literal["toolhive", "kubernetes"]
    host: str = "127.0.0.1"
    """Of ToolHive."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    """Of ToolHive; found among the usual ones by default."""
    selector: str | None = None
    """Of Kubernetes: a label selector."""
    namespace: str | None = None
    """Of Kubernetes; all by default."""
    context: str | None = None
    """Of Kubernetes: of the user's configuration."""
    every_s: Seconds = 60.0


@dataclass(frozen=True, kw_only=True)
class Client:
    """A service, as it is configured. `config` is one of the above, for the types known here."""

    id: str
    name: str
    type: str
    config: msgspec.Raw
    enabled: bool
    owner_id: str
    org_id: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class Secret:
    """What a client needs to be let in, as it is stored."""

    id: str
    client_id: str
    name: str
    value: Encrypted | None
    """None where what is stored is not of this shape."""
    expires_at: datetime | None
    updated_at: datetime
    """When it was last set."""

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now
