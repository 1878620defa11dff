"""Arguments that a request repeats in its headers, for whoever stands on the way: both must say the
same. No I/O."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from hubbub.interfaces.mcp.rpc import said_by
from hubbub.protocol.mcp import HEADER_MISMATCH, RpcError
from hubbub.upstreams.mcp.headers import PARAM, Path

DECIMAL: Final = re.compile(r"(-?[0-9]+)(?:\.0+)?")


def check(paths: Mapping[Path, str], input: Raw, headers: Mapping[str, str]) -> None:
    """See that the headers of a call repeat what its arguments say.

    Raises:
        RpcError: names the header that does not.
    """
    arguments: Any = msgspec.json.decode(input)
    for path, name in paths.items():
        header = (PARAM + name).lower()
        value = arguments
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if not _agree(said_by(headers, header), value):
            raise RpcError(HEADER_MISMATCH, f"the header {header} does not say what the body does")


def _agree(said: str | None, value: object) -> bool:
    if said is None or value is None:
        return said is None and value is None
    if isinstance(value, bool):
        return said == ("true" if value else "false")
    if isinstance(value, int):
        number = DECIMAL.fullmatch(said)
        return number is not None and number.group(1) == str(value)
    return isinstance(value, str) and said == value
