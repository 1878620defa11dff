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
WORKLOAD_SOURCE: Final = "workload-source"

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
    workload: str | None = None
    """The id of the workload that it is, where a source says that it runs. Set by the hub."""


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
    """Who says which MCP servers can be had."""

    location: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    """The URL of a registry's API, or the URL or the path of a document: one of the official
    registry, of ToolHive, Docker's catalogue, or an `mcp.json`."""
    form: Literal["api", "document"] = "document"
    """Whether pages of `/v0.1/servers` are asked for, or a document."""
    headers: dict[str, str] = {}
    poll_s: Seconds = 3600.0


class WorkloadSource(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """Who says which MCP servers run."""

    kind: Literal["toolhive", "kubernetes"]
    host: str = "127.0.0.1"
    """Where ToolHive is."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    """Of ToolHive; by default it is looked for where it usually listens."""
    selector: str = "mcp.hubbub.dev/server=true"
    """Of the services in Kubernetes, by their labels."""
    namespace: str | None = None
    """In Kubernetes; by default all."""
    context: str | None = None
    """Of the Kubernetes configuration; by default the pod's own, or the current one."""
    poll_s: Seconds = 60.0


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
