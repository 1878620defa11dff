"""What a server has to offer, to the end of every list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from anyio.lowlevel import checkpoint
from msgspec import Raw

from hubbub.kernel.errors import ExecutionFailed, TooLarge
from hubbub.kernel.limits import REGISTERED_OPERATIONS_MAX
from hubbub.protocol.codec import UNREADABLE
from hubbub.protocol.mcp import METHOD_NOT_FOUND, RpcError
from hubbub.protocol.specs import AccessControl
from hubbub.upstreams.mcp.offers import Skipped, Tool, tool_of
from hubbub.upstreams.mcp.session import Session

PAGES_MAX: Final = 1000
BYTES_MAX: Final = 64 * 1024 * 1024
CHECKED_AT_ONCE: Final = 50

Item = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Everything that a server lists."""

    tools: tuple[Tool, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    resources: tuple[Item, ...] = ()
    templates: tuple[Item, ...] = ()
    prompts: tuple[Item, ...] = ()


async def listing(session: Session, client: str, access: AccessControl) -> Listing:
    """Ask a server for all its lists.

    Raises:
        RpcError, HubError: as `Session.request` has them; TooLarge for lists that do not end.
    """
    capabilities = session.greeting.capabilities
    tools: list[Tool] = []
    skipped: list[Skipped] = []
    taken: set[str] = set()
    found = await _items(session, "tools/list", "tools") if "tools" in capabilities else []
    for n, item in enumerate(found):
        if n % CHECKED_AT_ONCE == 0:
            await checkpoint()  # the schemas of thousands take a while
        tool = tool_of(client, item, access, taken)
        if isinstance(tool, Skipped):
            skipped.append(tool)
        else:
            taken.add(tool.spec.name)
            tools.append(tool)
    resources = templates = prompts = ()  # type: tuple[Item, ...]
    if "resources" in capabilities:
        resources = tuple(await _items(session, "resources/list", "resources"))
        templates = tuple(await _items(session, "resources/templates/list", "resourceTemplates"))
    if "prompts" in capabilities:
        prompts = tuple(await _items(session, "prompts/list", "prompts"))
    return Listing(
        tools=tuple(tools),
        skipped=tuple(skipped),
        resources=resources,
        templates=templates,
        prompts=prompts,
    )


async def _items(session: Session, method: str, key: str) -> list[Item]:
    """One list, page by page."""
    items: list[Item] = []
    cursor: str | None = None
    seen: set[str] = set()
    size = 0
    for _ in range(PAGES_MAX):
        try:
            raw = await session.request(method, {} if cursor is None else {"cursor": cursor})
        except RpcError as error:
            # Servers say that they have resources, and do not know of templates.
            if error.code == METHOD_NOT_FOUND:
                return items
            raise
        size += memoryview(raw).nbytes
        page = _page(session, raw)
        found = page.get(key)
        items += [item for item in found or () if isinstance(item, dict)]
        cursor = page.get("nextCursor")
        if not isinstance(cursor, str) or not cursor:
            return items
        if cursor in seen or size > BYTES_MAX or len(items) > REGISTERED_OPERATIONS_MAX:
            break
        seen.add(cursor)
    raise TooLarge(
        f"{method} of {session.server} does not end",
        server=session.server,
        maximum=REGISTERED_OPERATIONS_MAX,
    )


def _page(session: Session, raw: Raw) -> dict[str, Any]:
    try:
        page = msgspec.json.decode(raw)
    except UNREADABLE as error:
        raise ExecutionFailed(f"{session.server} answered with no JSON") from error
    return page if isinstance(page, dict) else {}
