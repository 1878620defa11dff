"""Servers that agents look for, and have the hub connect to, where they may."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from hubbub.calls.model import Ask
from hubbub.interfaces.mcp.asking import Asking, Calling
from hubbub.interfaces.mcp.recipes import Recipe, client_name, recipe_of
from hubbub.interfaces.mcp.relay import can_answer
from hubbub.interfaces.mcp.results import data_of
from hubbub.interfaces.mcp.views import Views
from hubbub.kernel.errors import Invalid
from hubbub.protocol.codec import encode

NEEDS: Final = {
    "search_registry": ("registry.search",),
    "install_server": ("registry.get", "client.create"),
}
"""What a caller must be allowed to be shown each."""
QUESTION: Final = "install"


class Installing:
    """What `search_registry` and `install_server` do."""

    def __init__(self, views: Views, calling: Calling) -> None:
        self._views = views
        self._calling = calling

    def shown(self, asking: Asking, name: str) -> bool:
        """Whether this tool is one that the caller may use here."""
        table = self._views.table(asking.view)
        return all(table.get(id, asking.identity) for id in NEEDS.get(name, ()))

    async def searched(self, asking: Asking, arguments: dict[str, Any]) -> dict[str, object]:
        """Servers that can be had, in few words."""
        found = await self._asked(
            asking,
            "registry.search",
            {"text": arguments["query"], "limit": arguments.get("limit", 5)},
        )
        servers = [
            {
                "server": hit["server"]["id"],
                "name": hit["server"]["name"],
                "description": hit["server"]["description"],
                "score": hit["score"],
            }
            for hit in found["items"]
        ]
        return {"servers": servers, **({"note": found["note"]} if found["note"] else {})}

    async def installed(self, asking: Asking, arguments: dict[str, Any]) -> dict[str, object]:
        """Have the hub connect to a server, once whoever sits before the agent agrees."""
        server = await self._asked(asking, "registry.get", {"id": arguments["server"]})
        recipe = recipe_of(server)
        name = arguments.get("name") or client_name(server["name"])
        values: dict[str, str] = dict(arguments.get("settings", {}))
        refusal = await self._agreed(asking, f"{server['name']} as {name}", recipe, values)
        if refusal is not None:
            return {"installed": False, "reason": refusal}
        config = recipe.made(values)
        await self._asked(
            asking, "client.create", {"name": name, "type": "mcp-server", "config": config}
        )
        return {"installed": True, "client": name, "secretsToSet": recipe.secrets}

    async def _agreed(
        self, asking: Asking, what: str, recipe: Recipe, values: dict[str, str]
    ) -> str | None:
        """Ask whether to, and for what must be told. Why not; None where they agree.

        Raises:
            Invalid: if something must be told and nobody can be asked.
        """
        missing = recipe.missing(values)
        params = Raw(encode(_form(what, recipe, [each.name for each in missing])))
        if not can_answer(asking.capabilities, "elicitation/create", params):
            if missing:
                raise Invalid(
                    "the server must be told more",
                    errors=[
                        {"field": f"settings.{each.name}", "expected": each.description or "a text"}
                        for each in missing
                    ],
                )
            return None
        reply = await self._calling.question(asking, QUESTION, "elicitation/create", params)
        if reply.get("action") != "accept":
            return str(reply.get("action"))
        for each in missing:
            told = (reply.get("content") or {}).get(each.name)
            if not isinstance(told, str) or not told:
                return f"{each.name} was not told"
            values[each.name] = told
        return None

    async def _asked(self, asking: Asking, operation_id: str, input: object) -> Any:
        ask = Ask(operation_id=operation_id, input=Raw(encode(input)))
        (output,) = await self._calling.answers(asking, ask)
        return msgspec.json.decode(data_of(output))


def _form(what: str, recipe: Recipe, missing: list[str]) -> dict[str, object]:
    told = {each.name: each for each in recipe.settings}
    properties = {
        name: {"type": "string", "description": told[name].description} for name in missing
    }
    return {
        "message": f"Install {what}? The hub will use: {recipe.what}",
        "requestedSchema": {"type": "object", "properties": properties, "required": missing},
    }
