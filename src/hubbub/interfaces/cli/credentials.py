"""The keys that this user has saved: one file, for nobody else to read, filed by hub."""

import json
import os
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from hubbub.kernel.errors import Invalid


def path() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "hubbub" / "credentials.toml"


def filed_as(url: str) -> str:
    """`url` in the one way in which keys are filed.

    Raises:
        Invalid: if it is not the address of a hub.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise Invalid(
            "that is not the address of a hub",
            errors=[{"field": "url", "expected": "http://HOST:PORT or https://HOST", "got": url}],
        )
    host = "127.0.0.1" if host == "localhost" else f"[{host}]" if ":" in host else host
    place = f"{host}:{port}" if port else host
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def load(hub: str) -> str | None:
    """The key saved for a hub."""
    return _all().get(hub)


def save(hub: str, key: str) -> Path:
    """Keep a key for a hub, in place of any other; the file in which it is."""
    return _write({**_all(), hub: key})


def forget(hub: str) -> bool:
    """Delete the key for a hub; whether there was one."""
    keys = _all()
    if hub not in keys:
        return False
    del keys[hub]
    _write(keys)
    return True


def _all() -> dict[str, str]:
    try:
        found = tomllib.loads(path().read_text())
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unreadable(error) from error
    hubs = found.get("hubs", {})
    return {hub: entry["key"] for hub, entry in hubs.items() if "key" in entry}


def _write(keys: dict[str, str]) -> Path:
    """All of it or nothing: whoever reads meanwhile finds the file as it was, or as it is."""
    target = path()
    # A string of JSON is one of TOML too.
    text = "\n".join(
        f"[hubs.{json.dumps(hub)}]\nkey = {json.dumps(key)}\n" for hub, key in sorted(keys.items())
    )
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".credentials-")  # mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise _unreadable(error) from error
    return target


def _unreadable(error: Exception) -> Invalid:
    return Invalid(
        "the saved keys cannot be used",
        errors=[{"field": str(path()), "expected": f"a file of keys: {error}"}],
    )
