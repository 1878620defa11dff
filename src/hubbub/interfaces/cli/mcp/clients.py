"""The programs that speak MCP, and where each keeps its servers."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal


@dataclass(frozen=True, kw_only=True)
class Client:
    """A program, and how its settings look."""

    id: str
    title: str
    section: tuple[str, ...] = ("mcpServers",)
    """The path of keys to its servers."""
    syntax: Literal["json", "toml"] = "json"
    user: Mapping[str, str]
    """Where its settings for a person are, by platform; `linux` holds for all others too."""
    project: str | None = None
    """Where those for a project are, below its folder."""
    older: Mapping[str, str] | None = None
    """Where it once kept servers among other settings, and may have some still."""
    bare: bool = False
    """Whether `$VAR` is a variable, and not only `${VAR}`."""
    sse: bool = False
    """Whether a plain `url` is one of the older transport."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file in which a client keeps servers."""

    client: Client
    file: Path
    scope: Literal["user", "older", "project", "file"]

    @property
    def folder(self) -> Path:
        """The folder that its settings mean."""
        if self.scope == "project" and self.client.project is not None:
            return self.file.parents[len(Path(self.client.project).parts) - 1]
        return self.file.parent


_MAC: Final = "~/Library/Application Support"

CLIENTS: Final[Mapping[str, Client]] = {
    client.id: client
    for client in (
        Client(
            id="claude-desktop",
            title="Claude Desktop",
            user={
                "darwin": f"{_MAC}/Claude/claude_desktop_config.json",
                "win32": "$APPDATA/Claude/claude_desktop_config.json",
                "linux": "$XDG_CONFIG_HOME/Claude/claude_desktop_config.json",
            },
        ),
        Client(
            id="claude-code",
            title="Claude Code",
            user={"linux": "$CLAUDE_CONFIG_DIR/.claude.json"},
            project=".mcp.json",
        ),
        Client(
            id="cursor",
            title="Cursor",
            user={"linux": "~/.cursor/mcp.json"},
            project=".cursor/mcp.json",
        ),
        Client(
            id="vscode",
            title="VS Code",
            section=("servers",),
            user={
                "darwin": f"{_MAC}/Code/User/mcp.json",
                "win32": "$APPDATA/Code/User/mcp.json",
                "linux": "$XDG_CONFIG_HOME/Code/User/mcp.json",
            },
            project=".vscode/mcp.json",
            older={
                "darwin": f"{_MAC}/Code/User/settings.json",
                "win32": "$APPDATA/Code/User/settings.json",
                "linux": "$XDG_CONFIG_HOME/Code/User/settings.json",
            },
        ),
        Client(
            id="codex",
            title="Codex",
            section=("mcp_servers",),
            syntax="toml",
            user={"linux": "$CODEX_HOME/config.toml"},
            project=".codex/config.toml",
        ),
        Client(
            id="gemini",
            title="Gemini CLI",
            user={"linux": "~/.gemini/settings.json"},
            project=".gemini/settings.json",
            bare=True,
            sse=True,
        ),
        Client(
            id="zed",
            title="Zed",
            section=("context_servers",),
            user={
                "win32": "$APPDATA/Zed/settings.json",
                "darwin": "~/.config/zed/settings.json",
                "linux": "$XDG_CONFIG_HOME/zed/settings.json",
            },
            project=".zed/settings.json",
        ),
    )
}

PLAIN: Final = Client(id="plain", title="mcpServers", user={})
"""What most others read: an object `mcpServers` in a file of JSON."""

_FOLDERS: Final = {
    "APPDATA": "~/AppData/Roaming",
    "XDG_CONFIG_HOME": "~/.config",
    "CODEX_HOME": "~/.codex",
    "CLAUDE_CONFIG_DIR": "~",
}
"""Where a client looks when the variable that would say so is not set."""


def user_file(client: Client) -> Path:
    """Where a client keeps what holds for this person."""
    return _here(client.user)


def _here(files: Mapping[str, str]) -> Path:
    written = files.get(sys.platform, files["linux"])
    for name, otherwise in _FOLDERS.items():
        written = written.replace(f"${name}", os.environ.get(name) or otherwise)
    return Path(written).expanduser()


def places(client: Client, folder: Path) -> list[Place]:
    """Where a client keeps servers for this person, and for the project in a folder."""
    found = []
    if client.user:
        found.append(Place(client=client, file=user_file(client), scope="user"))
    if client.older is not None:
        found.append(Place(client=client, file=_here(client.older), scope="older"))
    if client.project is not None:
        found.append(Place(client=client, file=folder / client.project, scope="project"))
    return found


def of_file(file: Path) -> Client:
    """The client whose settings a file is, by its name; else what most clients read."""
    if file.suffix == ".toml":
        return CLIENTS["codex"]
    parts = file.parts[-2:]
    for client in CLIENTS.values():
        known = [Path(each).parts[-2:] for each in (*client.user.values(), client.project or "")]
        if parts in known and len(parts) == 2:
            return client
    return PLAIN
