"""A request of a client, with all that belongs to it; and the calls that are made for it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from hubbub.calls.model import Ask
from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.mcp.exchange import Exchange
from hubbub.interfaces.mcp.parking import OURS, Parking
from hubbub.interfaces.mcp.relay import Question, Relay, by_request
from hubbub.interfaces.mcp.rpc import Request
from hubbub.interfaces.mcp.sessions import Session
from hubbub.interfaces.mcp.tasks import Tasks, declared
from hubbub.interfaces.mcp.views import View
from hubbub.operations.access import Identity
from hubbub.operations.context import Caller
from hubbub.protocol.codec import encode
from hubbub.protocol.mcp import (
    CAPABILITIES_KEY,
    INVALID_PARAMS,
    LOG_LEVEL_KEY,
    RESERVED,
    RequestId,
    RpcError,
)

TOKEN: Final = "progressToken"
PATIENCE_S: Final = 10.0
"""After this, a call of a client that knows of tasks becomes one."""

Shape = Callable[[Relay], bytes]


class _Again(msgspec.Struct, frozen=True, rename="camel"):
    """What a client says that asks again."""

    input_responses: Raw | UnsetType = UNSET
    request_state: str | UnsetType = UNSET


class NotYet(Exception):
    """There is no result yet: `result` says what is to be known first, or that it is a task."""

    def __init__(self, result: Mapping[str, object]) -> None:
        super().__init__("there is no result yet")
        self.result = result


@dataclass(frozen=True, kw_only=True)
class Asking:
    """One request of one client, at one view."""

    request: Request
    caller: Caller
    view: View
    exchange: Exchange
    session: Session | None = None
    stops: dict[int, Callable[[], None]] = field(default_factory=dict)
    """How to end the calls that were made for it."""

    @property
    def modern(self) -> bool:
        return self.request.modern

    @property
    def identity(self) -> Identity | None:
        return self.caller.identity

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """What the client can be asked."""
        if self.modern:
            found: Mapping[str, Any] = self.request.meta[CAPABILITIES_KEY]
            return found
        return {} if self.session is None else self.session.capabilities

    @property
    def log_level(self) -> str | None:
        if self.modern:
            level = self.request.meta.get(LOG_LEVEL_KEY)
            return level if isinstance(level, str) else None
        return None if self.session is None else self.session.log_level

    @property
    def meta(self) -> dict[str, object]:
        """What the client says aside of its request, without what concerns one hop."""
        return {
            key: value
            for key, value in self.request.meta.items()
            if key != TOKEN and not key.startswith(RESERVED)
        }

    def stop(self) -> None:
        """End all that is done for it."""
        for stop in list(self.stops.values()):
            stop()

    def begin(self) -> None:
        """From now on it ends when the client leaves, or says so."""
        self.exchange.on_left = self.stop
        if self.session is not None and self.request.id is not None:
            if self.session.running is None:
                self.session.running = {}
            self.session.running[self.request.id] = self.stop

    def end(self) -> None:
        """It is answered."""
        self.exchange.on_left = None
        if self.session is not None and self.session.running is not None:
            self.session.running.pop(_id(self.request), None)


class Calling:
    """Makes calls for requests."""

    def __init__(self, entrance: Entrance, parking: Parking, tasks: Tasks) -> None:
        self._entrance = entrance
        self._parking = parking
        self._tasks = tasks

    async def answers(self, asking: Asking, ask: Ask, *, resumes: bool = False) -> list[Raw]:
        """The envelopes that a call is answered with, as `carried` has it.

        Raises:
            HubError: what the call ended with.
        """
        return (await self.carried(asking, ask, resumes=resumes)).result()

    async def carried(
        self, asking: Asking, ask: Ask, *, resumes: bool = False, shape: Shape | None = None
    ) -> Relay:
        """A call that has ended.

        Args:
            resumes: whether the provider knows what to do with a state that is not the hub's.
            shape: makes the result out of it, if it may become a task.

        Raises:
            HubError: if it could not begin.
            NotYet: if it goes on when its request is answered.
            RpcError: if the request is not one that goes on with a call.
        """
        subject = f"{asking.request.method} {ask.operation_id} {ask.provider or ''}"
        relay = await self._relay(asking, ask, subject, resumes=resumes)
        key = id(relay)
        asking.stops[key] = partial(self._entrance.end, relay.call)
        if asking.exchange.left:
            self._entrance.end(relay.call)
        goes_on = False
        try:
            settled = await self._settled(asking, relay, shape)
            if relay.outcome is not None:
                return relay
            account_id = asking.caller.account_id
            if not settled and shape is not None:
                begun = self._tasks.begin(relay, account_id, shape)
                goes_on = True
                raise NotYet(begun)
            state = self._parking.park(relay, account_id, subject)
            goes_on = True
            raise NotYet(
                {
                    "resultType": "input_required",
                    "inputRequests": relay.detach(),
                    "requestState": state,
                }
            )
        finally:
            del asking.stops[key]
            if not goes_on:
                self._entrance.end(relay.call)

    async def _settled(self, asking: Asking, relay: Relay, shape: Shape | None) -> bool:
        """Wait until the call has ended or wants to know something; False if it is to go on as a
        task."""
        may = shape is not None and asking.modern and declared(asking.capabilities)
        if not may or not self._tasks.room(asking.caller.account_id):
            await relay.settled()
            return True
        try:
            async with asyncio.timeout(PATIENCE_S):
                await relay.settled()
        except TimeoutError:
            return False
        return True

    async def question(
        self, asking: Asking, key: str, method: str, params: Raw
    ) -> Mapping[str, Any]:
        """Ask the client something of the hub's own, in the way of its revision.

        Raises:
            NotYet: if it is to come back with the answer.
            RpcError: if it cannot be asked, or its answer is none.
        """
        if not asking.modern:
            return _reply(await by_request(asking.session, asking.exchange, method, params))
        given = asking.request.read(_Again).input_responses
        replies = {} if isinstance(given, UnsetType) else _reply(given)
        if key not in replies:
            asked = {key: Question(method, params)}
            raise NotYet({"resultType": "input_required", "inputRequests": asked})
        return _reply(Raw(encode(replies[key])))

    async def _relay(self, asking: Asking, ask: Ask, subject: str, *, resumes: bool) -> Relay:
        again = asking.request.read(_Again) if asking.modern else _Again()
        state = again.request_state
        if isinstance(state, str) and state.startswith(OURS):
            relay = self._parking.resumed(state, asking.caller.account_id, subject)
            self._attach(relay, asking, again)
            return relay
        if isinstance(state, str) and not resumes:
            raise RpcError(INVALID_PARAMS, "the requestState is not one that was given for this")
        relay = Relay(
            self._entrance,
            asking.exchange,
            meta=asking.meta,
            capabilities=asking.capabilities,
            log_level=asking.log_level,
            resumed=_resumed(again),
            takes_input_required=asking.modern,
            session=asking.session,
            progress_token=asking.request.progress_token,
        )
        ask = msgspec.structs.replace(ask, aside=relay)
        relay.call = await self._entrance.begin(ask, asking.caller, relay)
        return relay

    def _attach(self, relay: Relay, asking: Asking, again: _Again) -> None:
        try:
            replies = msgspec.json.decode(
                b"{}" if isinstance(again.input_responses, UnsetType) else again.input_responses,
                type=dict[str, Raw],
            )
            relay.attach(asking.exchange, asking.request.progress_token, replies)
        except msgspec.ValidationError as error:
            self._entrance.end(relay.call)
            raise RpcError(INVALID_PARAMS, "inputResponses must be an object") from error
        except RpcError:
            self._entrance.end(relay.call)
            raise


def _reply(given: Raw) -> dict[str, Any]:
    reply = msgspec.json.decode(given)
    if not isinstance(reply, dict):
        raise RpcError(INVALID_PARAMS, "the response is not an object")
    return reply


def _resumed(again: _Again) -> dict[str, Raw]:
    resumed: dict[str, Raw] = {}
    if not isinstance(again.input_responses, UnsetType):
        resumed["inputResponses"] = again.input_responses
    if not isinstance(again.request_state, UnsetType):
        resumed["requestState"] = Raw(encode(again.request_state))
    return resumed


def _id(request: Request) -> RequestId:
    assert request.id is not None  # notifications are not answered
    return request.id
