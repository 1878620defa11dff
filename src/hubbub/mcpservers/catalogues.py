"""Registries that are asked: the official API, page by page, and documents of any form."""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from hubbub.kernel.clock import Clock
from hubbub.kernel.errors import Invalid, TooLarge
from hubbub.mcpservers.formats import next_cursor, parse
from hubbub.mcpservers.snapshots import REFUSALS_MAX, RegistryEntry, RegistrySnapshot
from hubbub.mcpservers.sources import (
    DOCUMENT_BYTES_MAX,
    ask,
    ask_json,
    decoded,
    session,
)

PAGE: Final = 100
PAGES_MAX: Final = 1_000
OVERLAP: Final = timedelta(minutes=5)
"""Clocks differ, and an answer takes its time: what changed so shortly before is asked for again.
"""
EVERYTHING_AFTER: Final = timedelta(hours=24)
"""How long only what changed is asked for. What vanished without a word is noticed then."""


class OfficialRegistry:
    """A registry that speaks `/v0.1/servers`: the official one, or another hub."""

    def __init__(
        self, name: str, url: str, clock: Clock, headers: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._url = url.rstrip("/").removesuffix("/v0.1/servers").removesuffix("/v0.1")
        self._clock = clock
        self._headers = dict(headers or {})
        self._since: datetime | None = None
        self._everything: datetime | None = None
        self._asked: datetime | None = None
        self._all_asked = False

    async def snapshot(self) -> RegistrySnapshot | None:
        """All of it, or what changed since it was last accepted."""
        self._asked = self._clock()
        due = self._everything is None or self._asked - self._everything >= EVERYTHING_AFTER
        self._all_asked = due
        query = {"limit": str(PAGE), "version": "latest"}
        if not due and self._since is not None:
            query["updated_since"] = (self._since - OVERLAP).isoformat().replace("+00:00", "Z")
        parts = await self._pages(query)
        servers: dict[tuple[str, str], RegistryEntry] = {}
        for part in parts:
            for entry in part.servers:
                # What changed while the pages were read may stand on two of them.
                servers[entry.name, entry.identity.text] = entry
        gone = tuple(name for part in parts for name in part.gone)
        refused = tuple(why for part in parts for why in part.refused)[:REFUSALS_MAX]
        if not due and not servers and not gone:
            self.accepted()
            return None
        return RegistrySnapshot(
            source=self.name,
            servers=tuple(servers.values()),
            complete=due,
            gone=gone,
            refused=refused,
        )

    def accepted(self) -> None:
        """From now on only what changes is asked for."""
        self._since = self._asked
        if self._all_asked:
            self._everything = self._asked

    async def _pages(self, query: Mapping[str, str]) -> list[RegistrySnapshot]:
        found: list[RegistrySnapshot] = []
        cursor: str | None = None
        async with session() as client:
            for _ in range(PAGES_MAX):
                asked = {**query, "cursor": cursor} if cursor else dict(query)
                document = await ask_json(
                    client,
                    f"{self._url}/v0.1/servers",
                    headers=self._headers,
                    query=asked,
                    follow=not self._headers,
                )
                found.append(await asyncio.to_thread(parse, document, self.name))
                following = next_cursor(document)
                if following is None:
                    return found
                if following == cursor:
                    raise Invalid("the registry's pages have no end", cursor=cursor)
                cursor = following
        raise TooLarge("the registry has too many pages", maximum=PAGES_MAX)


class Catalogue:
    """A document: a file, or what stands at a URL. Its form is seen from what is in it."""

    def __init__(self, name: str, location: str, headers: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._location = location
        self._headers = dict(headers or {})
        self._tags: dict[str, str] = {}
        self._read: tuple[dict[str, str], str] = ({}, "")
        self._digest = ""

    async def snapshot(self) -> RegistrySnapshot | None:
        """What stands there; None if it is what stood there when it was last accepted."""
        body = await self._body()
        if body is None:
            return None
        digest = hashlib.sha256(body).hexdigest()
        if digest == self._digest:
            self._tags = self._read[0]
            return None
        self._read = self._read[0], digest
        return await asyncio.to_thread(parse, await decoded(body), self.name)

    def accepted(self) -> None:
        """The same document need not be read again."""
        self._tags, self._digest = self._read

    async def _body(self) -> bytes | None:
        if self._location.startswith(("http://", "https://")):
            return await self._fetched()
        path = self._location.removeprefix("file://")
        return await asyncio.to_thread(_contents, path)

    async def _fetched(self) -> bytes | None:
        async with session() as client:
            answer = await ask(
                client,
                self._location,
                headers={**self._headers, **self._tags},
                follow=not self._headers,
            )
        if answer.status == 304:
            return None
        tags = {}
        if "ETag" in answer.headers:
            tags["If-None-Match"] = answer.headers["ETag"]
        elif "Last-Modified" in answer.headers:
            tags["If-Modified-Since"] = answer.headers["Last-Modified"]
        self._read = tags, self._read[1]
        return answer.body


def _contents(path: str) -> bytes:
    try:
        with Path(path).expanduser().open("rb") as file:
            body = file.read(DOCUMENT_BYTES_MAX + 1)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Invalid(f"{path} cannot be read: {reason}") from error
    if len(body) > DOCUMENT_BYTES_MAX:
        raise TooLarge("the document is too large", maximum=DOCUMENT_BYTES_MAX)
    return body
