"""Entries of registries in other forms than the official one, brought into that. Pure.

Values of settings are not taken over: they may be secrets.
"""

from collections.abc import Mapping
from typing import Final

from hubbub.mcpservers.commands import package_of
from hubbub.mcpservers.model import Transport

PUBLISHER: Final = "io.modelcontextprotocol.registry/publisher-provided"

Json = Mapping[str, object]

TRANSPORTS: Final[dict[str, Transport]] = {
    "stdio": "stdio",
    "sse": "sse",
    "streamable-http": "streamable-http",
    "streamable_http": "streamable-http",
    "streamablehttp": "streamable-http",
    "streaming": "streamable-http",
    "http": "streamable-http",
}


def toolhive(name: str, said: Json) -> Json:
    """An entry of ToolHive's own registry as `server.json`."""
    name = text_in(said.get("name")) or name
    image, url = text_in(said.get("image")), text_in(said.get("url"))
    inputs = [
        {
            "name": text_in(each.get("name")),
            "description": text_in(each.get("description")),
            "isRequired": each.get("required") is True,
            "isSecret": each.get("secret") is True,
            **({"default": each["default"]} if each.get("default") else {}),
        }
        for each in map(object_in, list_in(said.get("env_vars")))
    ]
    server: dict[str, object] = {
        "name": name,
        "title": text_in(said.get("title")) or name,
        "description": text_in(said.get("description")),
        "version": text_in(said.get("version")) or _tag(image),
    }
    if image:
        package: dict[str, object] = {
            "registryType": "oci",
            "identifier": image,
            "transport": {"type": text_in(said.get("transport")) or "stdio"},
            "environmentVariables": inputs,
        }
        if said.get("args"):
            package["packageArguments"] = [
                {"type": "positional", "value": arg} for arg in list_in(said.get("args"))
            ]
        server["packages"] = [package]
    if url:
        remote: dict[str, object] = {"type": text_in(said.get("transport")), "url": url}
        if said.get("headers"):
            remote["headers"] = [
                {
                    "name": text_in(each.get("name")),
                    "description": text_in(each.get("description")),
                    "isRequired": each.get("required") is True,
                    "isSecret": each.get("secret") is True,
                }
                for each in map(object_in, list_in(said.get("headers")))
            ]
        server["remotes"] = [remote]
    return _with_tools(_with_repository(server, said.get("repository_url")), image or url, said)


def docker(name: str, said: Json) -> Json:
    """An entry of Docker's catalogue as `server.json`."""
    image = text_in(said.get("image"))
    remote = object_in(said.get("remote"))
    url = text_in(remote.get("url")) or text_in(said.get("sseEndpoint"))
    secrets = [
        {"name": text_in(each.get("env")), "isRequired": True, "isSecret": True}
        for each in map(object_in, list_in(said.get("secrets")))
    ]
    settings = [
        {"name": text_in(each.get("name"))} for each in map(object_in, list_in(said.get("env")))
    ]
    server: dict[str, object] = {
        "name": name,
        "title": text_in(said.get("title")) or name,
        "description": text_in(said.get("description")),
        "version": _tag(image),
    }
    if url:
        kind = "sse" if said.get("sseEndpoint") else text_in(remote.get("transport_type"))
        server["remotes"] = [
            {
                "type": TRANSPORTS.get(kind, "streamable-http"),
                "url": url,
                "headers": [{"name": each} for each in object_in(remote.get("headers"))],
            }
        ]
    elif image:
        server["packages"] = [
            {
                "registryType": "oci",
                "identifier": image,
                "transport": {"type": "stdio"},
                "environmentVariables": [*secrets, *settings],
                "packageArguments": [
                    {"type": "positional", "value": arg} for arg in list_in(said.get("command"))
                ],
            }
        ]
    tools = [_docker_tool(object_in(each)) for each in list_in(said.get("tools"))]
    return _with_tools(server, url or image, {"tool_definitions": tools} if tools else {})


def _docker_tool(said: Json) -> Json:
    """Docker states arguments one by one, or a schema, or neither."""
    tool: dict[str, object] = {"name": text_in(said.get("name"))}
    for key in ("description", "annotations"):
        if said.get(key):
            tool[key] = said[key]
    arguments = [object_in(each) for each in list_in(said.get("arguments"))]
    schema: dict[str, object] = {"type": "object"}
    if arguments:
        schema["properties"] = {
            text_in(each.get("name")): {
                "type": text_in(each.get("type")) or "string",
                "description": text_in(each.get("desc")) or text_in(each.get("description")),
            }
            for each in arguments
        }
        schema["required"] = [
            text_in(each.get("name")) for each in arguments if not each.get("optional")
        ]
    elif object_in(said.get("parameters")).get("properties"):
        schema = dict(object_in(said.get("parameters")))
    tool["inputSchema"] = schema
    return tool


def configured(name: str, said: Json) -> Json:
    """A server in a client's `mcp.json` as `server.json`. What its settings are set to is the
    client's own, and stays there."""
    server: dict[str, object] = {
        "name": name,
        "title": name,
        "description": text_in(said.get("description")),
        "version": "latest",
    }
    url = text_in(said.get("url")) or text_in(said.get("serverUrl")) or text_in(said.get("httpUrl"))
    if url:
        kind = text_in(said.get("type")) or text_in(said.get("transport"))
        headers = [
            {"name": each, "isRequired": True, "isSecret": True}
            for each in object_in(said.get("headers"))
        ]
        server["remotes"] = [
            {"type": TRANSPORTS.get(kind, "streamable-http"), "url": url, "headers": headers}
        ]
        return server
    command = text_in(said.get("command"))
    if not command:
        return server
    args = [each for each in list_in(said.get("args")) if isinstance(each, str)]
    kind, _, identifier = package_of(command, args).partition(":")
    known = kind in ("npm", "pypi", "nuget")
    server["packages"] = [
        {
            "registryType": kind if known else "oci",
            "identifier": identifier if known else package_of(command, args),
            "transport": {"type": "stdio"},
            "runtimeHint": command,
            "environmentVariables": [
                {"name": each, "isRequired": True, "isSecret": True}
                for each in object_in(said.get("env"))
            ],
        }
    ]
    return server


def _with_tools(server: Json, identity: str, said: Json) -> Json:
    told = {key: said[key] for key in ("tools", "tool_definitions", "tags") if said.get(key)}
    return {**server, "_meta": {PUBLISHER: {"hubbub": {identity: told}}}} if told else server


def _with_repository(server: Json, url: object) -> Json:
    address = text_in(url)
    if not address:
        return server
    source = "github" if "github.com" in address else "git"
    return {**server, "repository": {"url": address, "source": source}}


def _tag(image: str) -> str:
    last = image.rpartition("/")[2].partition("@")[0]
    return last.partition(":")[2] or "latest"


def object_in(value: object) -> Json:
    """An object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def list_in(value: object) -> list[object]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else []


def text_in(value: object) -> str:
    """A text, or an empty one."""
    return value.strip() if isinstance(value, str) else ""
