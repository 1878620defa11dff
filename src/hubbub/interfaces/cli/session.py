"""Which hub is meant, and with which key: decided by the options, before anything is loaded."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from hubbub.interfaces.cli import credentials
from hubbub.kernel.errors import Invalid, Unauthenticated

DEFAULT_URL: Final = "http://127.0.0.1:4820"


@dataclass(kw_only=True)
class Session:
    """Mutable: options may stand before and after the command's name, and fill it as they come."""

    url: str = field(default_factory=lambda: os.environ.get("HUBBUB_URL") or DEFAULT_URL)
    key_file: Path | None = None
    json: bool = False

    @property
    def hub(self) -> str:
        """The hub's address, written in the one way in which keys are filed."""
        return credentials.filed_as(self.url)

    @property
    def socket(self) -> str:
        """Where calls go."""
        return f"ws{self.hub.removeprefix('http')}/ws"

    def key(self) -> str:
        """The key for this hub.

        Raises:
            Unauthenticated: if there is none.
        """
        if self.key_file is not None:
            return _read(self.key_file)
        key = credentials.load(self.hub)
        if key is None:
            raise Unauthenticated(f"no key for {self.hub}: run `hubbub login {self.hub}`")
        return key


def current() -> Session:
    """The session of the command that runs."""
    return click.get_current_context().ensure_object(Session)


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            "the key file cannot be read",
            errors=[{"field": "key-file", "expected": f"a readable file: {error}"}],
        ) from error
