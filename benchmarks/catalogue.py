"""Catalogues of many operations, made through the hub as a spoke makes them."""

import asyncio
import random
from typing import Any, Final

from benchmarks.hubs import Hub
from benchmarks.peers import EchoSpoke, connected

OPERATIONS: Final = 10_000
NOUNS: Final = (
    "invoice", "customer", "ticket", "branch", "commit", "pipeline", "deployment", "volume", "page",
    "calendar", "meeting", "document", "folder", "message", "channel", "payment", "refund", "order",
    "shipment", "alert", "metric", "dashboard", "query", "table", "bucket", "secret", "certificate",
    "domain", "issue", "sprint",
)  # fmt: skip
VERBS: Final = (
    "create", "read", "update", "delete", "list", "search", "archive", "restore", "export",
    "import", "approve", "reject", "assign", "watch", "copy", "move", "rename", "merge", "split",
    "validate",
)  # fmt: skip
PLACES: Final = (
    "in the billing system", "of a repository", "on the staging cluster", "for a team",
    "of the mail account", "in the warehouse", "of the support desk", "on a remote machine",
)  # fmt: skip
QUERIES: Final = (
    "archive an old invoice",
    "which operation lists the commits of a repository",
    "refund payment",
    "watch deployment on the staging cluster",
    "rename a folder",
    "meeting calendar create",
    "export the metrics of a dashboard as a table",
    "approve ticket of the support desk",
)


def specs(count: int = OPERATIONS) -> list[dict[str, Any]]:
    """Operations with names, descriptions and schemas as people write them; the same each time."""
    chance = random.Random(7)
    return [_spec(chance, n) for n in range(count)]


def _spec(chance: random.Random, n: int) -> dict[str, Any]:
    verb, noun, place = chance.choice(VERBS), chance.choice(NOUNS), chance.choice(PLACES)
    others = chance.sample(NOUNS, 3)
    return {
        "namespace": f"acme.{noun}",
        "name": f"{verb}{noun.title()}{n}",
        "type": chance.choice(("query", "mutation")),
        "description": f"{verb.title()} one {noun} {place}, with its {others[0]} and {others[1]}.",
        "tags": [noun, verb],
        "inputSchema": {
            "type": "object",
            "properties": {
                f"{noun}Id": {"type": "string", "description": f"Which {noun}."},
                others[2]: {"type": "string", "description": f"The {others[2]} that it is for."},
                "limit": {"type": "integer", "minimum": 1},
            },
            "required": [f"{noun}Id"],
        },
        "outputSchema": {"type": "object", "properties": {noun: {"type": "object"}}},
    }


async def fill(hub: Hub, count: int = OPERATIONS) -> float:
    """Register that many operations over one connection; the seconds that it took."""
    loop = asyncio.get_running_loop()
    spoke = EchoSpoke("acme", specs(count))
    await connected(spoke, hub.url, hub.key)
    began = loop.time()
    spoke.register()
    answer = await asyncio.wait_for(spoke.registered, 120)
    assert answer["type"] == "call.responded", answer
    took_s = loop.time() - began
    spoke.transport.disconnect()
    return took_s
