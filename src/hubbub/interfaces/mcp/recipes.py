"""How a server that the registry knows is installed: what it must be told, and what client that
makes. No I/O."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hubbub.kernel.errors import Conflict, Invalid

NAME_CHARS_MAX: Final = 64
SETTINGS_MAX: Final = 50

_VARIABLE: Final = re.compile(r"\{([A-Za-z0-9_.-]+)\}")
_KINDS: Final = {"npm": ("npx", "-y"), "pypi": ("uvx",), "oci": ("docker", "run", "-i", "--rm")}
"""How packages of each registry are run."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Something that a server must be told, or may be."""

    name: str
    description: str
    required: bool
    secret: bool
    default: str | None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A way to run or reach a server."""

    what: str
    """What is run, or dialled, as people read it."""
    settings: tuple[Setting, ...]
    config: Mapping[str, Any]
    """Of the client, with `{NAME}` where a setting belongs."""

    @property
    def secrets(self) -> list[str]:
        """The settings that are stored as secrets, and asked for by nobody here."""
        return [secret_name(each.name) for each in self.settings if each.secret]

    def missing(self, values: Mapping[str, str]) -> list[Setting]:
        """What must be told and is not."""
        return [
            each
            for each in self.settings
            if each.required and not each.secret and not self._value(each, values)
        ]

    def made(self, values: Mapping[str, str]) -> dict[str, Any]:
        """The client's config with these values in it. Secrets stand in it by reference.

        Raises:
            Invalid: if a value is for no setting, or is a secret.
        """
        known = {each.name: each for each in self.settings}
        for name in values:
            if name not in known or known[name].secret:
                expected = "nothing" if name not in known else "to be set as a secret, by its owner"
                errors = [{"field": f"settings.{name}", "expected": expected}]
                raise Invalid("a setting does not fit", errors=errors)
        told = {
            each.name: f"${{secret:{secret_name(each.name)}}}"
            if each.secret
            else self._value(each, values)
            for each in self.settings
        }
        return {key: _filled(value, told) for key, value in self.config.items()}

    def _value(self, setting: Setting, values: Mapping[str, str]) -> str:
        return values.get(setting.name) or setting.default or ""


def recipe_of(server: Mapping[str, Any]) -> Recipe:
    """The way to install a server, as the registry tells of it.

    Raises:
        Conflict: if there is none that the hub knows.
    """
    definition = server.get("definition") or {}
    for remote in _objects(definition.get("remotes")):
        if isinstance(remote.get("url"), str):
            return _remote(remote)
    for package in _objects(definition.get("packages")):
        if package.get("registryType") in _KINDS and isinstance(package.get("identifier"), str):
            return _packaged(package)
    if isinstance(server.get("url"), str):
        return _remote({"url": server["url"], "type": server.get("transport")})
    raise Conflict("there is no way to install this server from here", server=server.get("name"))


def client_name(server: str) -> str:
    """A name for the client of a server: `io.github.acme/weather` becomes `weather`."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", server.rpartition("/")[2]).strip("-_")
    name = plain if re.match(r"[A-Za-z]", plain) else f"mcp-{plain}"
    return name[:NAME_CHARS_MAX].rstrip("-_")


def secret_name(setting: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", setting).upper()


def _remote(remote: Mapping[str, Any]) -> Recipe:
    headers = _objects(remote.get("headers"))
    url, kind = str(remote["url"]), remote.get("type")
    config = {
        "transport": kind if kind in ("sse", "streamable-http") else "streamable-http",
        "url": url,
        **_given("headers", {str(each["name"]): _template(each) for each in headers}),
    }
    variables = _variables(remote)
    return Recipe(what=url, settings=_settings(headers, variables), config=config)


def _packaged(package: Mapping[str, Any]) -> Recipe:
    kind = str(package["registryType"])
    command, *first = _KINDS[kind]
    inputs = _objects(package.get("environmentVariables"))
    arguments = _objects(package.get("packageArguments"))
    if kind == "oci":
        first += [part for each in inputs for part in ("-e", str(each["name"]))]
    args = [*first, _pinned(package, kind), *(text for each in arguments for text in _words(each))]
    config = {
        "transport": "stdio",
        "command": command,
        "args": args,
        **_given("env", {str(each["name"]): _template(each) for each in inputs}),
    }
    wanted = [each for each in arguments if "{" in "".join(_words(each)) and "value" not in each]
    return Recipe(
        what=" ".join([command, *args]), settings=_settings([*inputs, *wanted], {}), config=config
    )


def _pinned(package: Mapping[str, Any], kind: str) -> str:
    identifier, version = str(package["identifier"]), package.get("version")
    if not isinstance(version, str) or version == "latest" or not version:
        return identifier
    mark = {"npm": "@", "pypi": "==", "oci": ":"}[kind]
    already = mark in identifier.rpartition("/")[2]
    return identifier if already else f"{identifier}{mark}{version}"


def _words(argument: Mapping[str, Any]) -> list[str]:
    """An argument of the command line, with `{NAME}` where it must be told."""
    name = str(argument.get("name") or argument.get("valueHint") or "argument")
    told = argument.get("value") or argument.get("default")
    value = str(told) if told is not None else f"{{{name}}}" if argument.get("isRequired") else ""
    if argument.get("type") == "named":
        return [name, value] if value else []
    return [value] if value else []


def _template(input: Mapping[str, Any]) -> str:
    value = input.get("value")
    return str(value) if isinstance(value, str) and value else f"{{{input['name']}}}"


def _variables(input: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = input.get("variables")
    return {str(k): v for k, v in found.items() if isinstance(v, dict)} if found else {}


def _settings(
    inputs: Sequence[Mapping[str, Any]], variables: Mapping[str, Mapping[str, Any]]
) -> tuple[Setting, ...]:
    found: dict[str, Setting] = {}
    for name, each in _named(inputs, variables):
        found[name] = Setting(
            name=name,
            description=str(each.get("description") or ""),
            required=bool(each.get("isRequired")),
            secret=bool(each.get("isSecret")),
            default=str(each["default"]) if each.get("default") is not None else None,
        )
    if len(found) > SETTINGS_MAX:
        raise Conflict("the server wants to know too much", maximum=SETTINGS_MAX)
    return tuple(found.values())


def _named(
    inputs: Sequence[Mapping[str, Any]], variables: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from variables.items()
    for each in inputs:
        inner = _variables(each)
        yield from inner.items()
        if not inner and not each.get("value"):
            yield str(each.get("name") or each.get("valueHint") or "argument"), each


def _given(key: str, values: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    return {key: values} if values else {}


def _filled(value: Any, told: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: told.get(found.group(1), found.group(0)), value)
    if isinstance(value, Mapping):
        filled = {key: _filled(each, told) for key, each in value.items()}
        return {key: each for key, each in filled.items() if each != ""}
    if isinstance(value, list):
        return [_filled(each, told) for each in value]
    return value


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
