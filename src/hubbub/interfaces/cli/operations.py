"""What the hub says of its operations."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from hubbub.client import Hub
from hubbub.interfaces.cli.asking import every
from hubbub.interfaces.cli.names import own_name, spoke_of
from hubbub.kernel.errors import OperationNotFound

LISTED_MAX = 2000


async def spec_of(hub: Hub, *ids: str) -> dict[str, Any] | None:
    """The definition under one of some ids, or under a spoke's own name for it if one spoke alone
    uses that name; None where the hub has none to show."""
    for id in ids:
        with suppress(OperationNotFound):
            return await _spec(hub, id)
    for root in dict.fromkeys(id.partition(".")[0] for id in ids):
        listed = await every(hub, "operation.list", {"namespace": root}, LISTED_MAX)
        # `dev.fs.read` of the spoke `laptop` is known as `dev.{its id}.fs.read`.
        meant = [each["id"] for each in listed if own_name(each["id"]) in ids]
        if len(meant) == 1:
            return await _spec(hub, meant[0])
    return None


async def published_id(hub: Hub, id: str | None) -> str | None:
    """The id under which calls of an operation are recorded; as it is where the hub knows none."""
    spec = await spec_of(hub, id) if id else None
    return f"{spec['namespace']}.{spec['name']}" if spec else id


async def _spec(hub: Hub, id: str) -> dict[str, Any]:
    found: dict[str, Any] = await hub.call("operation.schema", {"id": id})
    return found


async def spoke_names(hub: Hub, operations: Iterable[str]) -> dict[str, str]:
    """The names of the spokes to which operations belong, by their ids, as far as they are to be
    seen."""
    if not any(map(spoke_of, operations)):
        return {}
    return {each["id"]: each["name"] for each in await every(hub, "spoke.list", {}, LISTED_MAX)}
