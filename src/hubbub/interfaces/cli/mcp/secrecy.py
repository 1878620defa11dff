"""What of a server's settings is a secret: taken out, and referred to by a name. No I/O."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from hubbub.interfaces.cli.mcp.expansion import Piece
from hubbub.services.references import MARK, REFERENCE, in_clear, secret_name

_SCHEME: Final = re.compile(r"((?:Bearer|Basic|Token|Bot|ApiKey) +)(\S.*)", re.I | re.S)
_HIDDEN: Final = re.compile(r"hidden([0-9]+)reference")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NAME_CHARS_MAX: Final = 128


@dataclass(kw_only=True)
class Vault:
    """The secrets of one server, by the names under which its config refers to them."""

    secrets: dict[str, str] = field(default_factory=dict)

    def hidden(self, name: str, pieces: Sequence[Piece]) -> str:
        """A text with references in place of secrets; `name` is what it stands for."""
        shown = "".join(map(self._piece, pieces))
        if shown and in_clear(name, REFERENCE.sub(MARK, shown)):
            whole = "".join(piece.text for piece in pieces)
            return self._within_url(name, shown) or self._whole(name, whole)
        return shown

    def arguments(self, args: Iterable[str], pieces: Callable[[str], Sequence[Piece]]) -> list[str]:
        """Arguments, in which an option says what comes behind it."""
        found: list[str] = []
        before = ""
        for arg in args:
            option, equals, value = arg.partition("=")
            if equals and (arg.startswith("-") or _VARIABLE.fullmatch(option)):
                found.append(f"{option}={self.hidden(option.lstrip('-'), pieces(value))}")
                before = ""
            else:
                is_option = arg.startswith("-")
                found.append(self.hidden("" if is_option else before, pieces(arg)))
                before = arg.lstrip("-") if is_option else ""
        return found

    def _piece(self, piece: Piece) -> str:
        if piece.name is not None and piece.text and secret_name(piece.name):
            return self.kept(piece.name, piece.text)
        return piece.text

    def _whole(self, name: str, text: str) -> str:
        scheme = _SCHEME.fullmatch(text)
        if scheme:
            return scheme[1] + self.kept(name, scheme[2])
        return self.kept(name, text)

    def _within_url(self, name: str, text: str) -> str | None:
        """A URL in which only the password and the secret parameters are hidden; what is hidden
        already stays so."""
        if _HIDDEN.search(text):
            return None  # it looks like what stands for the hidden below, and is hidden as a whole
        known = REFERENCE.findall(text)
        marked = iter(range(len(known)))
        plain = REFERENCE.sub(lambda _: f"hidden{next(marked)}reference", text)
        try:
            parts = urlsplit(plain)
            query = parse_qsl(parts.query, keep_blank_values=True)
        except ValueError:
            return None
        if parts.scheme not in ("http", "https") or secret_name(name):
            return None
        pairs = [f"{quote(key, safe='')}={self._parameter(key, value)}" for key, value in query]
        place = self._place(name, parts.netloc)
        shown = urlunsplit((parts.scheme, place, parts.path, "&".join(pairs), parts.fragment))
        shown = _HIDDEN.sub(lambda match: f"${{secret:{known[int(match[1])]}}}", shown)
        return None if in_clear(name, REFERENCE.sub(MARK, shown)) else shown

    def _place(self, name: str, netloc: str) -> str:
        user, at, host = netloc.rpartition("@")
        login, colon, password = user.partition(":")
        if colon and not _HIDDEN.search(password):
            password = self.kept(f"{name}_PASSWORD", password)
        return f"{login}{colon}{password}{at}{host}"

    def _parameter(self, key: str, value: str) -> str:
        # As it stands in a URL, for there the reference is replaced by it.
        written = quote(value, safe="")
        hidden = not value or _HIDDEN.search(value) or not secret_name(key)
        return written if hidden else self.kept(key, written)

    def kept(self, name: str, value: str) -> str:
        """The reference to a secret; the same value has one name."""
        base = fit(name)
        candidate, count = base, 1
        while self.secrets.get(candidate, value) != value:
            count += 1
            candidate = f"{base}_{count}"
        self.secrets[candidate] = value
        return f"${{secret:{candidate}}}"


def fit(name: str) -> str:
    """A name as secrets have them."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()[: NAME_CHARS_MAX - 8]
    return plain if plain and not plain[0].isdigit() else f"SECRET_{plain}".rstrip("_")
