"""What the config of each type of client must be. No I/O."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from hubbub.kernel.errors import Invalid
from hubbub.protocol.codec import encode
from hubbub.services import references
from hubbub.services.model import (
    HTTP_API,
    MCP_REGISTRY,
    MCP_SERVER,
    WORKLOAD_SOURCE,
    Client,
    HttpApi,
    McpRegistry,
    McpServer,
    OAuth,
    WorkloadSource,
)

CONFIG_BYTES_MAX: Final = 65_536
KNOWN: Final[Mapping[str, type[msgspec.Struct]]] = {
    MCP_SERVER: McpServer,
    HTTP_API: HttpApi,
    MCP_REGISTRY: McpRegistry,
    WORKLOAD_SOURCE: WorkloadSource,
}

_CAMEL: Final = dict(zip(OAuth.__struct_fields__, OAuth.__struct_encode_fields__, strict=True))

AnyConfig = McpServer | HttpApi | McpRegistry | WorkloadSource | dict[str, object]
"""Of a type that is not known here it is an object, kept as it is."""


def checked(type: str, config: Mapping[str, object]) -> msgspec.Raw:
    """A config as it is stored.

    Raises:
        Invalid: names the field and what was expected there.
    """
    encoded = encode(check(type, config))
    if len(encoded) > CONFIG_BYTES_MAX:
        raise _invalid("", f"at most {CONFIG_BYTES_MAX} bytes")
    return msgspec.Raw(encoded)


def check(type: str, config: object) -> AnyConfig:
    """See that a config fits its type and holds no secret in clear; the config.

    Raises:
        Invalid: names the field and what was expected there.
    """
    references.check(config)
    return typed(type, config)


def of(client: Client) -> AnyConfig:
    """A client's config with its references as they stand.

    Raises:
        Invalid: if it does not fit, having been written by another version.
    """
    return typed(client.type, msgspec.json.decode(client.config))


def typed(type: str, config: object) -> AnyConfig:
    """A config as its type has it, by all its rules.

    Raises:
        Invalid: names the field and what was expected there.
    """
    shape: Any = KNOWN.get(type, dict[str, object])
    try:
        found: AnyConfig = msgspec.convert(config, shape)
    except msgspec.ValidationError as error:
        expected, _, field = str(error).partition(" - at ")
        raise _invalid(field.strip("`").removeprefix("$").removeprefix("."), expected) from error
    match found:
        case McpServer(transport="stdio"):
            _check_command(found)
        case McpServer():
            _check_url(found)
        case HttpApi(base_url=url):
            _check_http("baseUrl", url)
        case McpRegistry(form="api", location=location):
            _check_http("location", location)
    return found


def _check_command(config: McpServer) -> None:
    if not config.command:
        raise _invalid("command", "a command: with `stdio` a program is run")
    for field in ("url", "headers", "oauth"):
        value = getattr(config, field)
        if value:
            raise _invalid(field, "none: with `stdio` a program is run, and nothing is dialled")


def _check_url(config: McpServer) -> None:
    for field in ("command", "args", "env", "cwd"):
        if getattr(config, field):
            raise _invalid(field, f"none: with `{config.transport}` a URL is dialled")
    _check_http("url", config.url or "")
    if config.oauth is not None:
        _check_oauth(config.oauth)


def _check_oauth(oauth: OAuth) -> None:
    needed = ["client_id", "client_secret"] if oauth.grant == "client-credentials" else []
    # Without knowing whose it is, whoever runs the server could have the secret sent anywhere.
    needed += ["client_id", "issuer"] if oauth.client_secret else []
    for field in needed:
        if not getattr(oauth, field):
            raise _invalid(f"oauth.{_CAMEL[field]}", "a value, with what else there is")
    for field in ("issuer", "redirect_url", "metadata_url"):
        if getattr(oauth, field) is not None:
            _check_http(f"oauth.{_CAMEL[field]}", getattr(oauth, field))


def _check_http(field: str, url: str) -> None:
    if url.startswith(references.OPENING):
        return  # all of it comes with the secret, and is looked at then
    try:
        parts = urlsplit(references.REFERENCE.sub(references.MARK, url))
        good = parts.scheme in ("http", "https") and bool(parts.netloc)
    except ValueError:
        good = False
    if not good:
        raise _invalid(field, "a URL that begins with http:// or https://")


def _invalid(field: str, expected: str) -> Invalid:
    field = f"config.{field}" if field else "config"
    return Invalid("the config does not fit", errors=[{"field": field, "expected": expected}])
