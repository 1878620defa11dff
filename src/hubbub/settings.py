"""Every setting, read once: from a TOML file, then `HUBBUB_*`, then the command line.

Secrets are not taken from the environment, where any process of the same user can read them.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, get_type_hints
from urllib.parse import parse_qs, urlsplit

import msgspec

from hubbub.kernel.errors import Invalid
from hubbub.search.choosing import Choice

PREFIX: Final = "HUBBUB_"

LEVELS: Final = "(?i)^(debug|info|warning|error|critical)$"

# TOML knows infinity, which no clock reaches: all times have an end.
YEAR_S: Final = 365 * 24 * 3600
CENTURY_DAYS: Final = 36525

Positive = Annotated[float, msgspec.Meta(gt=0, le=YEAR_S)]


def home() -> Path:
    """Where a hub keeps its file unless told otherwise."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "hubbub"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an owner may decide. Times in seconds, sizes in bytes."""

    database: str = ""
    """`sqlite:///PATH` or `postgresql://...`; a file in the user's data folder by default."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 4820
    """0 takes a free one."""
    public: bool = False
    """Bind to an address that others can reach. There must be TLS in front, and a key."""
    hosts: tuple[str, ...] = ()
    """Names under which the hub is reached, besides those of its own address."""
    call_timeout_s: Positive = 60.0
    """How long a call may take whose caller names no deadline."""
    call_timeout_s_max: Positive = 3600.0
    """No deadline is later than this."""
    idle_timeout_s: Positive = 600.0
    """How long a subscription may be silent whose caller does not say."""
    record_bytes_max: Annotated[int, msgspec.Meta(ge=0)] = 65536
    """Inputs and outputs beyond this leave only their size in the call graph."""
    call_retention_days: Annotated[float, msgspec.Meta(ge=0, le=CENTURY_DAYS)] = 30.0
    """Ended calls older than this are deleted; 0 keeps them all."""
    ping_s: Positive = 15.0
    """A peer that was silent for this long is pinged, and cut off after as long again."""
    peer_bytes_max: Annotated[int, msgspec.Meta(ge=65536)] = 8 * 1024 * 1024
    """What may wait for one connection before it is cut off."""
    drain_s: Annotated[float, msgspec.Meta(ge=0, le=YEAR_S)] = 10.0
    """How long calls in flight may take to end when the hub stops."""
    key_file: str = ""
    """The file with the keys that secrets are encrypted with; beside the database by default."""
    server_matching: Literal["exact", "tolerant"] = "exact"
    """When a server that runs is taken for one in a registry: by exactly the same URL or package,
    or also with another tag or digest, another case, a default port, a closing slash."""
    embedder: str = "built-in"
    """What compares meanings in a search: `built-in`, which needs nothing; `fastembed`, a model on
    this machine; the address of an OpenAI-compatible API, as `https://host/v1`; or `none`, and
    words alone are compared."""
    embedder_model: str = ""
    """The name of the model, for all but the built-in one."""
    embedder_folder: str = ""
    """The folder of the files of fastembed's model, if they are not in its own cache."""
    embedder_key_file: str = ""
    """A file with the key for the address."""
    otlp_endpoint: str = ""
    """Where traces go, such as `http://127.0.0.1:4318/v1/traces`; none by default."""
    log_level: Annotated[str, msgspec.Meta(pattern=LEVELS)] = "warning"
    """`debug`, `info`, `warning`, `error` or `critical`."""

    @property
    def choice(self) -> Choice:
        """Of a model to search by."""
        return Choice(
            embedder=self.embedder,
            model=self.embedder_model,
            folder=self.embedder_folder,
            key_file=self.embedder_key_file,
        )

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{home() / 'hubbub.sqlite'}"

    @property
    def key_path(self) -> Path:
        """Where the keys are. Those for a database elsewhere are kept where a file would be."""
        if self.key_file:
            return Path(self.key_file)
        if self.database_url.startswith("sqlite:///"):
            return Path(self.database_url.removeprefix("sqlite:///") + ".keys")
        return home() / "hubbub.keys"


def load(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """The settings that hold.

    Raises:
        Invalid: names the setting and what was expected.
    """
    values = dict(_from_file(file))
    values.update(_from_environment(os.environ if environment is None else environment))
    values.update({k: v for k, v in (overrides or {}).items() if v is not None})
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        unknown = sorted(set(values) - set(get_type_hints(Settings)))
        if unknown:
            raise _invalid(unknown[0], f"one of {', '.join(get_type_hints(Settings))}") from error
        expected, _, field = str(error).removeprefix("Expected ").partition(" - at ")
        raise _invalid(field.strip("`").removeprefix("$."), expected) from error


def _from_file(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid("config", f"a readable TOML file: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    known = get_type_hints(Settings)
    found: dict[str, object] = {}
    for name, value in environment.items():
        field = name.removeprefix(PREFIX).lower()
        if name.startswith(PREFIX) and field in known:
            found[field] = _listed(value) if field == "hosts" else value
    for field in ("database", "embedder", "otlp_endpoint"):
        _check_address(field, str(found.get(field, "")))
    return found


def _listed(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _check_address(field: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        named = parse_qs(parts.query, keep_blank_values=True)
        # Of the server, or of a client's certificate: `sslpassword`.
        secret = parts.password or any("password" in name.lower() for name in named)
    except ValueError as error:
        raise _invalid(f"{PREFIX}{field.upper()}", f"an address: {error}") from error
    if secret:
        raise _invalid(
            f"{PREFIX}{field.upper()}",
            "an address without a password: put it into the settings file or ~/.pgpass",
        )


def _invalid(field: str, expected: str) -> Invalid:
    return Invalid(f"{field}: expected {expected}", errors=[{"field": field, "expected": expected}])
