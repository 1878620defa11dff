"""Tools: listed and called, at every view."""

from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw, UnsetType

from hubbub.calls.model import Ask
from hubbub.calls.offers import Offers
from hubbub.interfaces.mcp import params, results
from hubbub.interfaces.mcp.asking import Asking, Calling
from hubbub.interfaces.mcp.features import Paged, cursor_key
from hubbub.interfaces.mcp.finding import Finding
from hubbub.interfaces.mcp.installing import Installing
from hubbub.interfaces.mcp.metatools import SCHEMAS, VALIDATORS, tool
from hubbub.interfaces.mcp.relay import Relay
from hubbub.interfaces.mcp.spill import Spill
from hubbub.interfaces.mcp.spilling import in_words, spilled
from hubbub.interfaces.mcp.tasks import Tasks, declared
from hubbub.interfaces.mcp.views import Entry, Views
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import HubError, OperationNotFound
from hubbub.kernel.paging import encode_cursor
from hubbub.protocol.codec import encode
from hubbub.protocol.mcp import INVALID_PARAMS, MISSING_CAPABILITY, RpcError

PAGE: Final = 1000


class ToolCall(msgspec.Struct, frozen=True):
    """The parameters of `tools/call`."""

    name: str
    arguments: Raw | UnsetType = msgspec.UNSET

    @property
    def input(self) -> Raw:
        """The arguments as they came.

        Raises:
            RpcError: if they are not an object.
        """
        if isinstance(self.arguments, UnsetType) or self.arguments == Raw(b"null"):
            return Raw(b"{}")
        if bytes(self.arguments)[:1] != b"{":
            raise RpcError(INVALID_PARAMS, "the arguments of a tool are an object")
        return self.arguments


class Tools:
    """What an agent can do here."""

    def __init__(self, views: Views, offers: Offers, calling: Calling, tasks: Tasks) -> None:
        self._views = views
        self._tasks = tasks
        self._offers = offers
        self._calling = calling
        self._finding = Finding(views, calling)
        self._installing = Installing(views, calling)
        self.spill = Spill()

    # What there is.

    def listed(self, asking: Asking) -> bytes:
        """The tools as `tools/list` has them, in an order that never changes."""
        if asking.view.searching:
            page: dict[str, object] = {"tools": self._meta_tools(asking)}
        else:
            page = self._page(asking)
        return results.own(page, modern=asking.modern, cached=results.CACHED)

    def _page(self, asking: Asking) -> dict[str, object]:
        cursor = asking.request.read(Paged).cursor
        after = cursor_key(cursor) if cursor else ""
        shown: list[Raw] = []
        last = ""
        for name, entry in self._views.table(asking.view).visible(asking.identity, after):
            if len(shown) == PAGE:
                return {"tools": shown, "nextCursor": encode_cursor(last)}
            shown.append(entry.tool(name))
            last = name
        return {"tools": shown}

    def _meta_tools(self, asking: Asking) -> list[object]:
        shown: list[object] = [
            tool(name, self._finding.behind(asking) if name == "find_tool" else None)
            for name in SCHEMAS
            if self._installing.shown(asking, name)
        ]
        for name, entry in self._views.table(asking.view).pinned:
            if name not in SCHEMAS and entry.visible(asking.identity):
                shown.append(entry.tool(name))
        return shown

    # What is done with it.

    async def called(self, asking: Asking) -> bytes:
        """The result of `tools/call`. What went wrong in a tool is a result, too.

        Raises:
            RpcError: if there is no such tool, or the server that has it answered so.
        """
        call = asking.request.read(ToolCall)
        own = asking.view.searching and call.name in SCHEMAS
        if own and self._installing.shown(asking, call.name):
            return await self._meta(asking, call)
        entry = self._views.table(asking.view).find(call.name, asking.identity)
        if entry is None or entry.definition.streams:
            raise RpcError(INVALID_PARAMS, f"there is no tool {call.name[:200]}")
        input = call.input
        if asking.modern and entry.headers:
            params.check(entry.headers, input, asking.exchange.request_headers)
        ask = Ask(operation_id=entry.id, input=input)
        resumes, shape = not entry.origin.legacy, partial(_direct, modern=asking.modern)
        try:
            relay = await self._calling.carried(asking, ask, resumes=resumes, shape=shape)
        except HubError as error:
            return results.own(results.failed(error), modern=asking.modern)
        result = shape(relay)
        self._note_task(asking, entry, result)
        return result

    def _note_task(self, asking: Asking, entry: Entry | None, result: bytes) -> None:
        """A server may have begun a task of its own."""
        if entry is not None and not entry.origin.legacy and declared(asking.capabilities):
            self._tasks.note(asking.caller, entry.origin.provider_id, result)

    async def _meta(self, asking: Asking, call: ToolCall) -> bytes:
        try:
            VALIDATORS[call.name].check(call.input)
            arguments = msgspec.json.decode(call.input)
            if call.name == "call_tool":
                return await self._call(asking, call.input, arguments)
            told = await self._told(asking, call.name, arguments)
        except HubError as error:
            return results.own(results.failed(error), modern=asking.modern)
        return results.own(told, modern=asking.modern)

    async def _told(
        self, asking: Asking, name: str, arguments: dict[str, Any]
    ) -> dict[str, object]:
        match name:
            case "find_tool":
                size = len(encode(self._meta_tools(asking)))
                return results.told(await self._finding.found(asking, arguments, size))
            case "list_tools":
                return results.told(self._finding.listed(asking, arguments))
            case "read_result":
                account_id = asking.caller.account_id
                part = self.spill.part(account_id, arguments["handle"], arguments.get("cursor"))
                return {"content": in_words(part), "isError": False}
            case "search_registry":
                return results.told(await self._installing.searched(asking, arguments))
            case "install_server":
                return results.told(await self._installing.installed(asking, arguments))
            case _:
                id = self._meant(asking, arguments["name"], None)
                ask = Ask(operation_id="operation.schema", input=Raw(encode({"id": id})))
                (output,) = await self._calling.answers(asking, ask)
                return results.told(msgspec.json.decode(results.data_of(output)))

    async def _call(self, asking: Asking, input: Raw, arguments: dict[str, Any]) -> bytes:
        timeout_ms = arguments.get("timeoutMs")
        given = msgspec.json.decode(input, type=dict[str, Raw])
        provider = arguments.get("provider")
        id = self._meant(asking, arguments["name"], provider)
        ask = Ask(
            operation_id=id,
            input=given.get("arguments", Raw(b"{}")),
            deadline_ms=None if timeout_ms is None else epoch_ms() + timeout_ms,
            idle_timeout_ms=timeout_ms,
            provider=provider,
        )
        entry = self._views.table(asking.view).get(id, asking.identity)
        resumes = entry is not None and not entry.origin.legacy
        shape = partial(self._found, asking.caller.account_id, asking.modern)
        result = shape(await self._calling.carried(asking, ask, resumes=resumes, shape=shape))
        self._note_task(asking, entry, result)
        return result

    def _found(self, account_id: str, modern: bool, relay: Relay) -> bytes:
        """The result of a call of a tool that was found."""
        try:
            outputs = relay.result()
            if len(outputs) == 1:
                result = results.of_envelope(outputs[0], modern=modern)
            else:
                answers = {"answers": [results.data_of(output) for output in outputs]}
                result = results.own(results.told(answers), modern=modern)
            return spilled(result, self.spill, account_id)
        except HubError as error:
            if (told := results.rpc_error_of(error)) and told.code == MISSING_CAPABILITY:
                raise told from error
            return results.own(results.failed(error), modern=modern)

    def _meant(self, asking: Asking, name: str, provider: str | None) -> str:
        """The id of the operation that an agent means by a name.

        Raises:
            OperationNotFound: if it is none of those that are shown here.
        """
        table = self._views.table(asking.view)
        entry = table.find(name, asking.identity)
        if entry is not None:
            return entry.id
        if asking.view.profile is None:
            return name
        ask = Ask(operation_id=name, provider=provider)
        id = self._offers.find(ask, asking.caller.account_id).definition.id
        if table.get(id, asking.identity) is None:
            raise OperationNotFound(f"no operation {name}", operation=name)
        return id


def _direct(relay: Relay, *, modern: bool) -> bytes:
    """The result of a call of a tool that was shown.

    Raises:
        RpcError: what its server answered instead.
    """
    try:
        (output,) = relay.result()
    except HubError as error:
        if (told := results.rpc_error_of(error)) is not None:
            raise told from error
        return results.own(results.failed(error), modern=modern)
    return results.of_envelope(output, modern=modern)
