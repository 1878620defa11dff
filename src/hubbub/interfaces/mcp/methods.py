"""What MCP's methods do, of both eras."""

from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw

from hubbub.calls.model import Ask
from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.mcp import results, rpc
from hubbub.interfaces.mcp.asking import Asking, NotYet
from hubbub.interfaces.mcp.exchange import Reply
from hubbub.interfaces.mcp.features import Features, ResourceRef
from hubbub.interfaces.mcp.listening import KINDS, Listener, Listening, Updates
from hubbub.interfaces.mcp.metatools import INSTRUCTIONS
from hubbub.interfaces.mcp.relay import LEVELS
from hubbub.interfaces.mcp.sessions import SUBSCRIPTIONS_MAX, Session, Sessions
from hubbub.interfaces.mcp.tools import Tools
from hubbub.interfaces.mcp.views import Views
from hubbub.kernel.errors import HubError
from hubbub.protocol.codec import encode
from hubbub.protocol.mcp import (
    HANDSHAKE,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MODERN,
    RESERVED,
    TASKS,
    RpcError,
)

SESSION: Final = "mcp-session-id"
SUBSCRIPTION_KEY: Final = f"{RESERVED}subscriptionId"
SUBSCRIBED_S: Final = 7 * 24 * 3600
INSTRUCTIONS_CHARS_MAX: Final = 4000
GREETING_BYTES_MAX: Final = 16 * 1024
"""Of a handshake: what it says is remembered."""

_CHANGES: Final = {"listChanged": True}
CAPABILITIES: Final[dict[str, dict[str, bool]]] = {
    "tools": _CHANGES,
    "resources": {**_CHANGES, "subscribe": True},
    "prompts": _CHANGES,
    "completions": {},
    "logging": {},
}
"""Of the hub, whatever stands behind it now: servers come and go while a client stays."""


class _Greeting(msgspec.Struct, frozen=True, rename="camel"):
    protocol_version: str
    capabilities: dict[str, Any] = {}


class _Level(msgspec.Struct, frozen=True):
    level: str


class _Filter(msgspec.Struct, frozen=True, rename="camel"):
    tools_list_changed: bool | None = None
    resources_list_changed: bool | None = None
    prompts_list_changed: bool | None = None
    resource_subscriptions: tuple[str, ...] | None = None


class _Listen(msgspec.Struct, frozen=True):
    notifications: _Filter


class Methods:
    """Answers requests."""

    def __init__(
        self,
        *,
        entrance: Entrance,
        views: Views,
        tools: Tools,
        features: Features,
        listening: Listening,
        sessions: Sessions,
    ) -> None:
        self._entrance = entrance
        self._views = views
        self._tools = tools
        self._features = features
        self._listening = listening
        self._sessions = sessions

    async def reply(self, asking: Asking) -> Reply:
        """The answer to a request."""
        request = asking.request
        try:
            if request.method == "initialize" and not asking.modern:
                return self._greeted(asking)
            if request.method == "subscriptions/listen" and asking.modern:
                return await self._listened(asking)
            answer = await self._answer(asking)
        except NotYet as needed:
            answer = encode(needed.result)
        except RpcError as error:
            status = rpc.HTTP_STATUS.get(error.code, 200) if asking.modern else 200
            return Reply(body=rpc.failure(request.id, error), status=status)
        except HubError as error:
            told = RpcError(INTERNAL_ERROR, f"{error.name}: {error.message}", error.details)
            return Reply(body=rpc.failure(request.id, told))
        return Reply(body=rpc.result(request.id, answer))

    async def _answer(self, asking: Asking) -> bytes:
        match asking.request.method:
            case "tools/call":
                return await self._tools.called(asking)
            case "tools/list":
                return self._tools.listed(asking)
            case "resources/list":
                return self._features.resources(asking)
            case "resources/templates/list":
                return self._features.templates(asking)
            case "resources/read":
                return await self._features.read(asking)
            case "prompts/list":
                return self._features.prompts(asking)
            case "prompts/get":
                return await self._features.prompt(asking)
            case "completion/complete":
                return await self._features.complete(asking)
            case "tasks/get" | "tasks/update" | "tasks/cancel" if asking.modern:
                return await self._features.task(asking)
            case method if asking.modern:
                return self._discovered(asking) if method == "server/discover" else _none(asking)
            case _:
                return await self._handshake_only(asking)

    async def _handshake_only(self, asking: Asking) -> bytes:
        """What the newer revision has no more."""
        match asking.request.method:
            case "ping":
                return b"{}"
            case "logging/setLevel":
                level = asking.request.read(_Level).level
                if level not in LEVELS:
                    raise RpcError(INVALID_PARAMS, f"the level is one of {', '.join(LEVELS)}")
                if asking.session is not None:
                    asking.session.log_level = level
                return b"{}"
            case "resources/subscribe":
                return await self._subscribed(asking)
            case "resources/unsubscribe":
                return self._unsubscribed(asking)
            case _:
                return _none(asking)

    def _greeted(self, asking: Asking) -> Reply:
        if len(bytes(asking.request.params)) > GREETING_BYTES_MAX:
            raise RpcError(INVALID_PARAMS, "nobody has so much to say of themselves")
        said = asking.request.read(_Greeting)
        version = said.protocol_version
        session = Session(
            account_id=asking.caller.account_id,
            key_id=asking.caller.key_id,
            view=asking.view.path,
            version=version if version in HANDSHAKE else HANDSHAKE[-1],
            capabilities=said.capabilities,
        )
        self._sessions.open(session)
        greeting = {
            "protocolVersion": session.version,
            "capabilities": CAPABILITIES,
            "serverInfo": rpc.SERVER,
            "instructions": self._instructions(asking),
        }
        body = rpc.result(asking.request.id, encode(greeting))
        return Reply(body=body, headers={SESSION: session.id})

    def _discovered(self, asking: Asking) -> bytes:
        return results.own(
            {
                "supportedVersions": [MODERN],
                "capabilities": {**CAPABILITIES, "extensions": {TASKS: {}}},
                "instructions": self._instructions(asking),
            },
            modern=True,
            cached=results.CACHED,
        )

    def _instructions(self, asking: Asking) -> str:
        if asking.view.searching:
            return INSTRUCTIONS
        told = [
            f"{server.name}: {server.instructions}"
            for server in self._views.servers(asking.view, asking.identity)
            if server.instructions
        ]
        about = asking.view.profile.description if asking.view.profile is not None else ""
        return "\n\n".join(filter(None, [about, *told]))[:INSTRUCTIONS_CHARS_MAX]

    # Hearing of changes.

    async def _subscribed(self, asking: Asking) -> bytes:
        session = _session(asking)
        uri = asking.request.read(ResourceRef).uri
        if session.subscriptions is None:
            session.subscriptions = {}
        if uri not in session.subscriptions:
            if len(session.subscriptions) >= SUBSCRIPTIONS_MAX:
                raise RpcError(INVALID_PARAMS, "too many resources are subscribed to")

            def say(message: bytes) -> None:
                if session.stream is not None:
                    session.stream.say(message)

            await self._hear(asking, uri, _listener(asking, frozenset(), say), session)
        return b"{}"

    def _unsubscribed(self, asking: Asking) -> bytes:
        session = _session(asking)
        uri = asking.request.read(ResourceRef).uri
        call = (session.subscriptions or {}).pop(uri, None)
        if call is not None:
            self._entrance.end(call)
        return b"{}"

    async def _hear(
        self, asking: Asking, uri: str, listener: Listener, session: Session | None
    ) -> None:
        """Have a server tell of a resource from now on."""
        ask = Ask(
            operation_id="mcp.subscribe",
            input=Raw(encode({"uri": uri})),
            provider=self._features.owner(asking, uri).client_id,
            idle_timeout_ms=SUBSCRIBED_S * 1000,
        )
        call = await self._entrance.begin(ask, asking.caller, Updates(listener))
        if session is not None and session.subscriptions is not None:
            session.subscriptions[uri] = call
        else:
            asking.stops[id(call)] = partial(self._entrance.end, call)

    async def _listened(self, asking: Asking) -> Reply:
        """A stream of what the client wants to hear of, until it leaves."""
        wanted = asking.request.read(_Listen).notifications
        if not asking.exchange.streams:
            return Reply(body=None, status=406)
        kinds = frozenset(kind for kind in KINDS if getattr(wanted, f"{kind}_list_changed"))
        listener = _listener(asking, kinds, asking.exchange.say)
        listener.meta[SUBSCRIPTION_KEY] = asking.request.id
        stop = self._listening.join(listener)
        try:
            uris = await self._uris(asking, listener, wanted.resource_subscriptions or ())
            agreed: dict[str, object] = {f"{kind}ListChanged": True for kind in sorted(kinds)}
            if uris:
                agreed["resourceSubscriptions"] = uris
            listener.tell("notifications/subscriptions/acknowledged", {"notifications": agreed})
            await asking.exchange.gone()
        finally:
            stop()
            asking.stop()
        meta = {SUBSCRIPTION_KEY: asking.request.id}
        ended = encode({"resultType": "complete", "_meta": meta})
        return Reply(body=rpc.result(asking.request.id, ended))

    async def _uris(self, asking: Asking, listener: Listener, wanted: tuple[str, ...]) -> list[str]:
        """Those of these resources of which servers will tell."""
        agreed = []
        for uri in wanted[:SUBSCRIPTIONS_MAX]:
            try:
                await self._hear(asking, uri, listener, None)
            except (HubError, RpcError):
                continue  # it is not among those that are agreed to
            agreed.append(uri)
        return agreed

    async def heard(self, asking: Asking, session: Session) -> Reply:
        """The stream on which a client that shook hands hears what belongs to no request."""
        if session.stream is not None:
            session.stream.leave()
        session.stream = asking.exchange
        stop = self._listening.join(_listener(asking, frozenset(KINDS), asking.exchange.say))
        asking.exchange.begin()
        try:
            await asking.exchange.gone()
        finally:
            stop()
            if session.stream is asking.exchange:
                session.stream = None
        return Reply(body=None)

    def forgotten(self, session: Session) -> None:
        """A session is over: nothing more is heard for it."""
        for call in (session.subscriptions or {}).values():
            self._entrance.end(call)


def _listener(asking: Asking, kinds: frozenset[str], say: Any) -> Listener:
    return Listener(
        caller=asking.caller,
        view=asking.view,
        kinds=kinds,
        say=say,
        stop=asking.exchange.leave,
    )


def _session(asking: Asking) -> Session:
    if asking.session is None:
        raise RpcError(INVALID_PARAMS, "without a session nothing can be subscribed to")
    return asking.session


def _none(asking: Asking) -> bytes:
    raise RpcError(METHOD_NOT_FOUND, f"there is no method {asking.request.method[:200]}")
