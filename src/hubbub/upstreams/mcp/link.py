"""The way to an MCP server: calls become requests on a session of the caller's account."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import anyio
import msgspec
from anyio.abc import TaskGroup
from msgspec import Raw

from hubbub.calls.model import Call, Provider
from hubbub.calls.router import Router
from hubbub.calls.tasked import TaskedLink
from hubbub.kernel.errors import DomainError, ExecutionFailed, TimedOut, Unavailable
from hubbub.protocol.codec import UNREADABLE, encode
from hubbub.protocol.frames import Progressed
from hubbub.protocol.mcp import RpcError
from hubbub.upstreams.mcp.headers import param_headers
from hubbub.upstreams.mcp.offers import FEATURES, RPC_ERROR, SHARED, Tool
from hubbub.upstreams.mcp.session import Exchange, Session
from hubbub.upstreams.mcp.sessions import Sessions
from hubbub.upstreams.mcp.subscriptions import Subscriptions
from hubbub.upstreams.mcp.wire import NO_HEADERS, SessionGone

ROUNDS_MAX: Final = 10
SOURCE: Final = b'"source":"mcp"'

_METHODS: Final = {f"{SHARED}.{each.name}": each.method for each in FEATURES}
_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class McpLink(TaskedLink):
    """Sends the calls of one client row to its server."""

    def __init__(
        self, router: Router, tasks: TaskGroup, name: str, call_timeout_s: float | None
    ) -> None:
        super().__init__(router, tasks)
        self.provider: Provider
        self.sessions: Sessions | None = None
        """None while the server is not there."""
        self.subscriptions = Subscriptions()
        self.everybodys: str | None = None
        """The session that all accounts use, where they do not have one each."""
        self._name = name
        self._call_timeout_s = call_timeout_s
        self._tools: Mapping[str, Tool] = {}

    def offers(self, tools: Sequence[Tool]) -> None:
        """From now on these are the server's tools."""
        self._tools = {tool.spec.id: tool for tool in tools}

    def _admit(self, call: Call) -> None:
        if self.sessions is None:
            raise Unavailable(f"{self._name} is not there now", server=self._name)

    async def _answer(self, call: Call) -> None:
        try:
            if self._call_timeout_s is None:
                await self._answered_at_last(call)
                return
            with anyio.fail_after(self._call_timeout_s):
                await self._answered_at_last(call)
        except TimeoutError:
            raise TimedOut(
                f"{self._name} did not answer in time",
                server=self._name,
                timeoutS=self._call_timeout_s,
            ) from None
        except RpcError as error:
            raise DomainError(
                RPC_ERROR, error.message or "the server refused", server=self._name, rpc=error.body
            ) from error

    async def _answered_at_last(self, call: Call) -> None:
        try:
            await self._answered(call)
        except SessionGone:
            # It did nothing for a session that it does not know; with a new one it may.
            await self._answered(call)

    async def _answered(self, call: Call) -> None:
        sessions = self.sessions
        if sessions is None:
            raise Unavailable(f"{self._name} is not there now", server=self._name)
        key = call.caller.account_id if self.everybodys is None else self.everybodys
        async with sessions.held(key) as session:
            if call.definition.streams:
                tell = partial(self._told, call)
                await self.subscriptions.follow(session, _input(call)["uri"], tell)
                return
            tool = self._tools.get(call.operation_id)
            if tool is not None:
                result = await self._used(session, call, tool)
                self._router.responded(self.provider, call.id, _envelope(self._name, result))
            else:
                method = _METHODS[call.operation_id]
                result = await self._asked(session, call, method, _input(call), NO_HEADERS)
                self._router.responded(self.provider, call.id, _plain(result))

    def _told(self, call: Call, change: Raw) -> None:
        self._router.responded(self.provider, call.id, _plain(change))

    async def _used(self, session: Session, call: Call, tool: Tool) -> Raw:
        headers = NO_HEADERS
        if tool.headers and session.modern:
            headers = param_headers(tool.headers, msgspec.json.decode(call.input))
        params = {"name": tool.name, "arguments": call.input}
        return await self._asked(session, call, "tools/call", params, headers)

    async def _asked(
        self,
        session: Session,
        call: Call,
        method: str,
        params: Mapping[str, object],
        headers: Mapping[str, str],
    ) -> Raw:
        """A result; what the server needs to know first is asked of the caller, if that does not
        take such a result itself."""
        aside = call.aside
        exchange = Exchange(aside=aside, progress=lambda told: self._progressed(call, told))
        if aside is not None and aside.resumed:
            params = {**params, **aside.resumed}
        for _ in range(ROUNDS_MAX):
            result = await session.request(method, params, exchange, headers)
            if aside is None or aside.takes_input_required or not session.modern:
                return result
            fields = _result(self._name, result)
            if fields.get("resultType") != Raw(b'"input_required"'):
                return result
            params = {**params, **await _replies(exchange, fields)}
        raise ExecutionFailed(f"{self._name} asked too often", server=self._name)

    def _progressed(self, call: Call, told: Progressed) -> None:
        told = msgspec.structs.replace(told, request_id=call.id)
        self._router.progressed(self.provider, call.id, told)


async def _replies(exchange: Exchange, fields: Mapping[str, Raw]) -> dict[str, object]:
    """What the caller answers to each question of a result that requires input."""
    assert exchange.aside is not None
    asked = msgspec.json.decode(fields.get("inputRequests", Raw(b"{}")))
    replies: dict[str, object] = {}
    for key, question in asked.items():
        params = Raw(encode(question.get("params", {})))
        replies[key] = await exchange.aside.asked(str(question.get("method")), params)
    state = fields.get("requestState")
    return {"inputResponses": replies, **({} if state is None else {"requestState": state})}


def _input(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(call.input)
    return found


def _result(server: str, result: Raw) -> dict[str, Raw]:
    try:
        return _fields(result)
    except UNREADABLE as error:
        raise ExecutionFailed(f"{server} answered with no result", server=server) from error


def _plain(result: Raw) -> Raw:
    """The envelope of what is no tool's result."""
    return Raw(b'{"data":%b,"meta":{"source":"mcp","isError":false,"content":[]}}' % bytes(result))


def _envelope(server: str, result: Raw) -> Raw:
    """The envelope of a tool's result: `meta` is the result as it came, and `data` what of it is of
    use to those who do not know MCP."""
    fields = _result(server, result)
    data = fields.get("structuredContent") or fields.get("content") or Raw(b"null")
    more = b"" if "isError" in fields else b',"isError":false'
    if "content" not in fields:
        more += b',"content":[]'
    own = bytes(result).strip()[1:]
    meta = b"{" + SOURCE + more + (b"," + own if fields else own)
    return Raw(b'{"data":%b,"meta":%b}' % (bytes(data), meta))
