"""The hub as one client of the bridge sees it: reached even while it restarts, and the session with
it, which the older revisions have, made anew when the hub has forgotten it."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hubbub.interfaces.cli.mcp import envelopes
from hubbub.interfaces.cli.mcp.envelopes import Envelope, Params
from hubbub.interfaces.cli.mcp.wire import EVENTS, Response, Unsent, Wire
from hubbub.kernel.errors import HubError, Unavailable

REACH_S: Final = 30.0
"""How long a hub that is not there is waited for."""
LEAVE_S: Final = 1.0
PAUSE_S: Final = 0.1
PAUSE_S_MAX: Final = 2.0
KEPT_MAX: Final = 1000
INITIALIZED: Final = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
POSTED: Final = {
    "Content-Type": "application/json",
    "Accept": f"application/json, {EVENTS}",
}


@dataclass(frozen=True, kw_only=True)
class Session:
    """What the hub knows the client by."""

    id: str | None
    version: str

    @property
    def headers(self) -> dict[str, str]:
        named = {} if self.id is None else {"Mcp-Session-Id": self.id}
        return {"MCP-Protocol-Version": self.version, **named}


@dataclass(kw_only=True)
class Past:
    """What a new session is to be told, for the client not to notice that it is one."""

    hello: bytes = b""
    """The client's own `initialize`."""
    told: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """What holds for a session until something else is said."""

    def note(self, envelope: Envelope, params: Params, line: bytes) -> None:
        """Keep what will have to be said again."""
        uri = params.uri if isinstance(params.uri, str) else ""
        match envelope.method:
            case "initialize":
                self.hello, self.told = line, {}
            case "logging/setLevel":
                self.told["logging/setLevel", ""] = line
            case "resources/subscribe" if len(self.told) < KEPT_MAX:
                self.told["resources/subscribe", uri] = line
            case "resources/unsubscribe":
                self.told.pop(("resources/subscribe", uri), None)
            case _:
                pass


class Link:
    """The way to one address of one hub, with one key."""

    def __init__(self, wire: Wire, path: str, key: str) -> None:
        self._wire = wire
        self._path = path
        self._key = {"Authorization": f"Bearer {key}"}
        self._renewing = asyncio.Lock()
        self.past = Past()
        self.session: Session | None = None

    async def post(
        self,
        line: bytes,
        headers: Mapping[str, str],
        on_sent: Callable[[], None] = lambda: None,
    ) -> Response:
        """The answer to a message, from a hub that is waited for where it is not there.

        Raises:
            Unsent: it did not come.
            Lost: it went away in the middle.
        """
        loop = asyncio.get_running_loop()
        ends, pause_s = loop.time() + REACH_S, PAUSE_S
        whole = {**POSTED, **self._key, **headers}
        while True:
            try:
                return await self._wire.send("POST", self._path, whole, body=line, on_sent=on_sent)
            except Unsent:
                if loop.time() >= ends:
                    raise
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # no secret
            pause_s = min(2 * pause_s, PAUSE_S_MAX)

    async def stream(self, session: Session, last_event: str | None = None) -> Response:
        """What the hub says of itself, or what is left of an answer that broke off."""
        since = {} if last_event is None else {"Last-Event-ID": last_event}
        headers = {"Accept": EVENTS, **self._key, **session.headers, **since}
        return await self._wire.send("GET", self._path, headers)

    def agreed(self, response: Response, answer: bytes) -> Session | None:
        """The session that an answer to `initialize` opens; None where it opens none."""
        version = envelopes.agreed(answer)
        if version is None:
            return None
        self.session = Session(id=response.headers.get("mcp-session-id"), version=version)
        return self.session

    async def renew(self, old: Session) -> None:
        """Another session in place of one that the hub has forgotten.

        Raises:
            Unavailable: the hub opens none.
        """
        async with self._renewing:
            if self.session is not old:
                return  # somebody else did
            response = await self.post(self.past.hello, {})
            session = self.agreed(response, await self._answer(response))
            if session is None:
                raise Unavailable("the hub has forgotten the session, and opens no other")
            for line in (INITIALIZED, *self.past.told.values()):
                await self._answer(await self.post(line, session.headers))

    async def leave(self) -> None:
        """Tell the hub that the session is over, if it can be told."""
        session = self.session
        try:
            if session is not None and session.id is not None:
                async with asyncio.timeout(LEAVE_S):
                    headers = {**self._key, **session.headers}
                    (await self._wire.send("DELETE", self._path, headers)).done()
        except (HubError, TimeoutError):
            pass
        finally:
            self._wire.close()

    async def _answer(self, response: Response) -> bytes:
        """What a message of our own is answered with."""
        try:
            if not response.streams:
                return await response.body()
            async for event in response.events():
                envelope = envelopes.opened(event.data)
                if envelope is not None and envelope.answers:
                    return event.data
            return b""
        finally:
            response.done()
