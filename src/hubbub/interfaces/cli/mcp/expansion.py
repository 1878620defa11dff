"""What stands for something else in a client's settings: variables of the environment, folders, and
what VS Code asks for. No I/O."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

# `${VAR}`, `${VAR:-default}`, `${env:VAR}`, `${input:id}`, and Gemini's `$VAR`.
_BRACED: Final = re.compile(r"\$\{([^{}]*)\}")
_BARE: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a text, and the name under which it is a secret, if it may be one."""

    text: str
    name: str | None = None
    """Of the variable from which it came."""


@dataclass(kw_only=True)
class Surroundings:
    """Where the settings are read, and by whom."""

    environment: Mapping[str, str]
    folder: str
    """That of the project, or the one in which this person works."""
    home: str
    ask: Callable[[str], str | None] = lambda id: None
    """What the person answers where settings ask for something; None if nobody can be asked."""
    bare: bool = False
    """Whether `$VAR` counts too."""
    missing: list[str] = field(default_factory=list)
    """What was not to be had, in words."""

    def expanded(self, text: str) -> tuple[Piece, ...]:
        """The text with everything replaced; what is missing is noted and left as it stands."""
        return tuple(self._pieces(text))

    def _pieces(self, text: str) -> Iterator[Piece]:
        at = 0
        for match in _BRACED.finditer(text):
            yield from self._bare(text[at : match.start()])
            yield self._braced(match)
            at = match.end()
        yield from self._bare(text[at:])

    def _bare(self, text: str) -> Iterator[Piece]:
        at = 0
        for match in _BARE.finditer(text) if self.bare else ():
            if match.start() > at:
                yield Piece(text=text[at : match.start()])
            yield self._variable(match[1], None, match[0])
            at = match.end()
        if at < len(text):
            yield Piece(text=text[at:])

    def _braced(self, match: re.Match[str]) -> Piece:
        whole, inner = match[0], match[1]
        kind, colon, rest = inner.partition(":")
        name, has_default, default = inner.partition(":-")
        match kind:
            case "env" if colon:
                return self._variable(rest, None, whole)
            case "input" if colon:
                return self._asked(rest, whole)
            case "workspaceFolder":
                return Piece(text=self.folder)
            case "workspaceFolderBasename":
                return Piece(text=re.split(r"[/\\]", self.folder)[-1])
            case "userHome":
                return Piece(text=self.home)
            case "pathSeparator" | "/":
                return Piece(text="/" if "/" in self.folder else "\\")
            case _ if _NAME.fullmatch(name):
                return self._variable(name, default if has_default else None, whole)
            case _:
                self.missing.append(f"{whole} means nothing outside of that client")
                return Piece(text=whole)

    def _variable(self, name: str, default: str | None, whole: str) -> Piece:
        # As in a shell, `:-` also steps in where the variable is empty.
        value = self.environment.get(name)
        if default is not None:
            value = value or default
        if value is None:
            self.missing.append(f"{name} is not set in your environment")
            return Piece(text=whole)
        return Piece(text=value, name=name)

    def _asked(self, id: str, whole: str) -> Piece:
        name = re.sub(r"[^A-Za-z0-9]+", "_", id).strip("_").upper() or "INPUT"
        value = self.environment.get(name)
        if value is None:
            value = self.ask(id)
        if value is None:
            self.missing.append(f"{whole} is asked for: set {name}, or import at a terminal")
            return Piece(text=whole)
        return Piece(text=value, name=name)
