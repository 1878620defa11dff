"""Tools found by what they do, and described in few words."""

from typing import Any

import msgspec
from msgspec import Raw

from hubbub.calls.model import Ask
from hubbub.interfaces.mcp.asking import Asking, Calling
from hubbub.interfaces.mcp.compact import signature
from hubbub.interfaces.mcp.metatools import NAMESPACES_SHOWN
from hubbub.interfaces.mcp.results import data_of
from hubbub.interfaces.mcp.views import Entry, Table, Views
from hubbub.kernel.paging import decode_cursor, encode_cursor
from hubbub.protocol.codec import encode

BYTES_A_TOKEN = 4
"""About; nobody's tokens are counted exactly here."""


class Finding:
    """What `find_tool` and `list_tools` answer."""

    def __init__(self, views: Views, calling: Calling) -> None:
        self._views = views
        self._calling = calling

    async def found(
        self, asking: Asking, arguments: dict[str, Any], shown_bytes: int
    ) -> dict[str, object]:
        """The tools that fit each query best.

        Args:
            shown_bytes: what it takes to show the tools that this is one of.
        """
        table = self._views.table(asking.view)
        queries = arguments["queries"]
        words = " ".join(arguments.get("keywords", ()))
        answer: list[dict[str, object]] = []
        for query in [queries] if isinstance(queries, str) else queries:
            tools, note = await self._best(asking, table, query, words, arguments)
            if note is not None and not tools:
                note += "; say it otherwise, or look through list_tools"
            hint = {} if note is None else {"hint": note}
            answer.append({"query": query, "tools": tools, **hint})
        all_bytes = table.weight(asking.identity)[1]
        return {"results": answer, "tokens": _tokens(answer, shown_bytes, all_bytes)}

    async def _best(
        self, asking: Asking, table: Table, text: str, words: str, arguments: dict[str, Any]
    ) -> tuple[list[dict[str, object]], str | None]:
        """The best tools for one query, and what stood in the way of finding more."""
        profile = None if asking.view.profile is None else asking.view.profile.name
        # Said apart they count as words alone; a text that is vague would outweigh them.
        text = f"{text} {words}".strip()
        sought = {"text": text, "keywords": words, "limit": arguments.get("limit", 5)}
        ask = Ask(
            operation_id="operation.search",
            input=Raw(encode(sought | ({} if profile is None else {"profile": profile}))),
        )
        (output,) = await self._calling.answers(asking, ask)
        full = arguments.get("detail") == "full"
        found = msgspec.json.decode(data_of(output))
        tools = [
            {
                **described(entry, full=full),
                **{key: hit[key] for key in ("score", "matched", "meaning")},
            }
            for hit in found["items"]
            if (entry := table.get(hit["id"], asking.identity)) is not None
        ]
        return tools, found["note"]

    def listed(self, asking: Asking, arguments: dict[str, Any]) -> dict[str, object]:
        """A page of all tools."""
        table = self._views.table(asking.view)
        cursor, limit = arguments.get("cursor"), arguments.get("limit", 50)
        after = decode_cursor(cursor, 1)[0] if cursor else ""
        within = arguments.get("namespace")
        shown: list[Entry] = []
        for id in table.ids:
            if id <= after or not _within(id, within):
                continue
            entry = table.get(id, asking.identity)
            if entry is not None:
                shown.append(entry)
            if len(shown) > limit:
                break
        page = shown[:limit]
        more = {"nextCursor": encode_cursor(page[-1].id)} if len(shown) > limit else {}
        return {"tools": [described(entry) for entry in page], **more}

    def behind(self, asking: Asking) -> str:
        """What `find_tool` says of itself: what it would find now."""
        table = self._views.table(asking.view)
        count, _ = table.weight(asking.identity)
        namespaces = sorted({_without_ids(each) for each in table.namespaces(asking.identity)})
        shown = ", ".join(namespaces[:NAMESPACES_SHOWN])
        more = "" if len(namespaces) <= NAMESPACES_SHOWN else " and more"
        return (
            "Find tools by what they do. Say what is to be done in plain words, one capability a "
            f"query. {count} tools can be found now: {shown}{more}."
        )


def described(entry: Entry, *, full: bool = False) -> dict[str, object]:
    """A tool in few words, or with its schema."""
    spec = entry.definition.spec
    schema = spec.input_schema
    return {
        "name": entry.id,
        "description": spec.description,
        **({"inputSchema": schema} if full else {"arguments": signature(schema)}),
    }


def _tokens(answer: object, shown_bytes: int, all_bytes: int) -> dict[str, int]:
    """What it took to get here, and what showing every tool would have taken."""
    found = len(encode(answer)) // BYTES_A_TOKEN
    shown, everything = shown_bytes // BYTES_A_TOKEN, all_bytes // BYTES_A_TOKEN
    return {
        "thisAnswer": found,
        "theseTools": shown,
        "allTools": everything,
        "saved": everything - shown - found,
    }


def _within(id: str, namespace: str | None) -> bool:
    return namespace is None or id.startswith(f"{namespace}.")


def _without_ids(namespace: str) -> str:
    """A namespace as people know it: `dev.{spokeId}.fs` is `dev.fs`."""
    return ".".join(part for part in namespace.split(".") if len(part) != 36)
