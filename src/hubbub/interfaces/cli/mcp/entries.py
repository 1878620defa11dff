"""The hub as an entry in a client's settings. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from hubbub.interfaces.cli.mcp.clients import Client
from hubbub.kernel.errors import Invalid

Via = Literal["stdio", "http"]

KEY: Final = "HUBBUB_KEY"
"""The variable in which clients look for the key, where it is not the bridge that has it."""
INPUT: Final[Mapping[str, object]] = {
    "type": "promptString",
    "id": "hubbub-key",
    "description": "The key of the hub",
    "password": True,
}
"""How VS Code asks for it."""

_HEADERS: Final = {
    "claude-code": f"Bearer ${{{KEY}}}",
    "plain": f"Bearer ${{{KEY}}}",
    "cursor": f"Bearer ${{env:{KEY}}}",
    "vscode": f"Bearer ${{input:{INPUT['id']}}}",
    "gemini": f"Bearer ${KEY}",
}


def by_command(client: Client, words: Sequence[str], env: Mapping[str, str]) -> dict[str, object]:
    """An entry that starts the bridge, which has the key that this person saved."""
    command, *args = words
    entry: dict[str, object] = {"command": command, "args": args}
    if env:
        entry["env"] = dict(env)
    match client.id:
        case "vscode" | "claude-code":
            return {"type": "stdio", **entry}
        case "zed":
            return {"source": "custom", **entry}
        case _:
            return entry


def by_address(client: Client, url: str) -> dict[str, object]:
    """An entry with the hub's address, and a key that the client takes from elsewhere.

    Raises:
        Invalid: the client cannot do that.
    """
    if client.id == "codex":
        return {"url": url, "bearer_token_env_var": KEY}
    if client.id not in _HEADERS:
        raise Invalid(
            f"{client.title} takes no key from elsewhere, and none is written into a file",
            errors=[{"field": "--via", "expected": "stdio"}],
        )
    headers = {"Authorization": _HEADERS[client.id]}
    match client.id:
        case "gemini":
            return {"httpUrl": url, "headers": headers}
        case "cursor":
            return {"url": url, "headers": headers}
        case _:
            return {"type": "http", "url": url, "headers": headers}


def hint(client: Client, via: Via) -> str:
    """What is left for the person to do."""
    if via == "stdio":
        return "It uses the key that `hubbub login` saved. Restart the program to see the hub."
    if client.id == "vscode":
        return "VS Code asks for the key, and keeps it."
    return f"Set {KEY} in the environment of {client.title} to a key of the hub."
