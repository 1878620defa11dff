"""Registry servers as the official registry would publish them. Pure.

There a server has one name and all that it is known by; here each URL and each package has a row.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from hubbub.mcpservers.formats import OFFICIAL
from hubbub.mcpservers.model import RegistryServer

SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
OURS: Final = "local.hubbub/"
"""The namespace of servers whose own name has none."""
DESCRIPTION_CHARS: Final = 100
NAME_CHARS: Final = 200
VERSION_CHARS: Final = 255

_NAME: Final = re.compile(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+")
_FOREIGN: Final = re.compile(r"[^a-zA-Z0-9._-]")


def published_name(name: str) -> str:
    """The name as the official schema allows it."""
    if len(name) <= NAME_CHARS and _NAME.fullmatch(name):
        return name
    return OURS + _FOREIGN.sub("-", name)[: NAME_CHARS - len(OURS)]


def looked_for(published: str) -> str:
    """A pattern, as LIKE has it, of the names that may be published so."""
    own = published.removeprefix(OURS)
    if own == published:
        return published.replace("_", r"\_")
    # What stands as a hyphen may have been any character.
    more = "%" if len(published) >= NAME_CHARS else ""
    return own.replace("_", r"\_").replace("-", "_") + more


def response(rows: Sequence[RegistryServer]) -> dict[str, object]:
    """A server, made of all rows of its name, with what the registry knows of it."""
    first = rows[0]
    server = _merged(rows)
    server["$schema"] = SCHEMA
    server["name"] = published_name(first.name)
    server["description"] = _description(first)
    server["version"] = str(server.get("version") or "latest")[:VERSION_CHARS]
    return {
        "server": server,
        "_meta": {
            OFFICIAL: {
                "status": "active",
                "publishedAt": _moment(min(row.created_at for row in rows)),
                "updatedAt": _moment(max(row.last_updated for row in rows)),
                "isLatest": True,
            }
        },
    }


def version_of(said: Mapping[str, object]) -> object:
    """The version in a response."""
    server = said["server"]
    return server.get("version") if isinstance(server, Mapping) else None


def by_name(rows: Iterable[RegistryServer]) -> dict[str, list[RegistryServer]]:
    """Rows by the names of their servers, in their order."""
    found: dict[str, list[RegistryServer]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row)
    return found


def _merged(rows: Sequence[RegistryServer]) -> dict[str, object]:
    merged: dict[str, object] = {}
    packages: list[object] = []
    remotes: list[object] = []
    for row in rows:
        said = _definition(row)
        merged = {**said, **merged}
        for found, key in ((packages, "packages"), (remotes, "remotes")):
            each = said.get(key)
            found.extend(
                one for one in (each if isinstance(each, list) else ()) if one not in found
            )
    for found, key in ((packages, "packages"), (remotes, "remotes")):
        merged.pop(key, None)
        if found:
            merged[key] = found
    return merged


def _definition(row: RegistryServer) -> dict[str, object]:
    if row.definition is not None:
        return msgspec.json.decode(row.definition, type=dict[str, object])
    if row.remote:
        return {"remotes": [{"type": row.transport, "url": row.url}]}
    transport: dict[str, object] = {"type": row.transport}
    if row.url is not None:
        transport["url"] = row.url
    package = {"registryType": "oci", "identifier": row.package, "transport": transport}
    return {"packages": [package]}


def _description(row: RegistryServer) -> str:
    text = " ".join((row.description or row.name).split())
    return text if len(text) <= DESCRIPTION_CHARS else f"{text[: DESCRIPTION_CHARS - 1]}…"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
