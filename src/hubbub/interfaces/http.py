"""Operations over HTTP: `POST /v1/{namespace}/{name}`, `GET` for queries with a flat input."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
import msgspec
from msgspec import Raw
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from hubbub.calls.model import Ask, Call
from hubbub.calls.waiting import Answer, Calls
from hubbub.catalog.model import Definition
from hubbub.identity.door import Door
from hubbub.identity.model import KeyChanged
from hubbub.interfaces.errors import error_body, error_response
from hubbub.interfaces.guard import address_of, bearer
from hubbub.interfaces.querystring import flat_input
from hubbub.kernel.clock import epoch_ms, utc_now
from hubbub.kernel.errors import HubError, Invalid, TooLarge
from hubbub.kernel.events import Bus
from hubbub.kernel.groups import ungrouped
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.operations.context import Caller
from hubbub.protocol.codec import encode
from hubbub.protocol.frames import Progressed

CALL_ID: Final = "Hubbub-Call-Id"
TIMEOUT: Final = "Hubbub-Timeout-Ms"
PROVIDER: Final = "Hubbub-Provider"
PARENT: Final = "Hubbub-Parent-Call"

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")


class HttpDoor:
    """The endpoints of all operations."""

    def __init__(self, *, calls: Calls, door: Door, bus: Bus) -> None:
        self._calls = calls
        self._door = door
        self._open: set[Call] = set()
        bus.listen(KeyChanged, self._key_changed)

    async def call(self, request: Request) -> Response:
        """One call. A subscription, and whoever accepts nothing else, gets server-sent events."""
        try:
            caller = await self.enter(request)
            ask = await self._ask(request, caller)
        except HubError as error:
            return error_response(error)
        except ClientDisconnect:
            return Response(status_code=499)
        definition = self._meant(ask, caller)
        try:
            streams = definition is not None and definition.streams
            if streams or request.headers.get("accept") == EVENTS:
                return await self._events(ask, caller)
            return await self._answer(request, ask, caller)
        except HubError as error:
            return error_response(error, None if definition is None else definition.spec)

    async def enter(self, request: Request) -> Caller:
        """Whose request it is.

        Raises:
            Unauthenticated: if it shows no key that counts.
        """
        key = bearer(request.headers.get("authorization"))
        caller = await self._door.enter(key, address_of(request.scope))
        caller.account_id  # noqa: B018  # every call is somebody's
        return caller

    @asynccontextmanager
    async def _opened(
        self, ask: Ask, caller: Caller, *, wants_progress: bool = False
    ) -> AsyncIterator[tuple[Call, AsyncIterator[Answer]]]:
        """A call that ends with the key that its caller showed."""
        async with self._calls.opened(ask, caller, wants_progress=wants_progress) as (
            call,
            answers,
        ):
            self._open.add(call)
            expiry: asyncio.TimerHandle | None = None
            if caller.until is not None:
                left_s = (caller.until - utc_now()).total_seconds()
                expiry = asyncio.get_running_loop().call_later(left_s, self._shut_out, call)
            try:
                yield call, answers
            finally:
                self._open.discard(call)
                if expiry is not None:
                    expiry.cancel()

    def _key_changed(self, changed: KeyChanged) -> None:
        for call in list(self._open):
            if changed.concerns(call.caller):
                self._shut_out(call)

    def _shut_out(self, call: Call) -> None:
        if not call.changes_hub:
            self._calls.router.abort(call)

    async def _ask(self, request: Request, caller: Caller) -> Ask:
        timeout_ms = _header_int(request, TIMEOUT)
        ask = Ask(
            operation_id=f"{request.path_params['namespace']}.{request.path_params['name']}",
            parent_id=request.headers.get(PARENT),
            deadline_ms=None if timeout_ms is None else epoch_ms() + timeout_ms,
            idle_timeout_ms=timeout_ms,
            provider=request.headers.get(PROVIDER),
        )
        get = request.method == "GET"
        input = self._flat_input(request, ask, caller) if get else await _input_of(request)
        return msgspec.structs.replace(ask, input=Raw(input))

    def _meant(self, ask: Ask, caller: Caller) -> Definition | None:
        """What is asked for, by whichever of its names; None where the call will say why not."""
        try:
            return self._calls.router.offers.find(ask, caller.account_id).definition
        except HubError:
            return None

    def _flat_input(self, request: Request, ask: Ask, caller: Caller) -> bytes:
        definition = self._meant(ask, caller)
        if definition is not None and definition.spec.type == "mutation":
            raise Invalid(
                "a mutation is asked for by POST",
                errors=[{"field": "method", "expected": "POST", "got": "GET"}],
            )
        schema = {} if definition is None else definition.spec.input_schema
        return encode(flat_input(request.query_params.multi_items(), schema))

    async def _answer(self, request: Request, ask: Ask, caller: Caller) -> Response:
        async with self._opened(ask, caller) as (call, answers):
            with ungrouped():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._abort_if_left, request, call)
                    answer = await anext(answers)
                    tasks.cancel_scope.cancel()
        assert isinstance(answer, Raw)  # progress was not asked for
        return Response(bytes(answer), media_type=JSON, headers={CALL_ID: call.id})

    async def _abort_if_left(self, request: Request, call: Call) -> None:
        """Nobody will take the answer of a call whose caller has gone."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self._calls.router.abort(call)

    async def _events(self, ask: Ask, caller: Caller) -> Response:
        stream = self._event_stream(ask, caller)
        # The first event decides whether this is an answer or an error with a status of its own.
        first = await anext(stream)
        return StreamingResponse(
            _chained(first, stream), media_type=EVENTS, headers={"X-Accel-Buffering": "no"}
        )

    async def _event_stream(self, ask: Ask, caller: Caller) -> AsyncIterator[bytes]:
        async with self._opened(ask, caller, wants_progress=True) as (call, answers):
            if call.outcome is not None and call.outcome.error is not None:
                raise call.outcome.error
            yield _event("began", encode({"callId": call.id}))
            try:
                async for answer in answers:
                    yield _answer_event(answer)
            except HubError as error:
                yield _event("error", encode(error_body(error)["error"]))
            else:
                yield _event("completed", b"{}")


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _answer_event(answer: Answer) -> bytes:
    if isinstance(answer, Progressed):
        return _event("progress", encode(answer))
    return _event("answer", bytes(answer))


def _event(kind: str, data: bytes) -> bytes:
    # JSON has line breaks between its tokens only, and an event ends with its line.
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data.translate(ONE_LINE))


async def body_of(request: Request) -> bytes:
    """The body, whatever it is.

    Raises:
        TooLarge: over the limit of a frame.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > FRAME_BYTES_MAX:
            raise TooLarge("the input is too large", maximum=FRAME_BYTES_MAX)
        parts.append(part)
    return b"".join(parts)


async def _input_of(request: Request) -> bytes:
    """The body as an input, which is JSON or nothing.

    Raises:
        Invalid: if it is something else. What cannot be read later must not be recorded.
    """
    body = await body_of(request) or b"{}"
    try:
        msgspec.json.decode(body.decode(), type=Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        errors = [{"field": "", "expected": "JSON", "got": str(error)}]
        raise Invalid("the input is not JSON", errors=errors) from error
    return body


def _header_int(request: Request, name: str) -> int | None:
    value = request.headers.get(name)
    if value is None:
        return None
    try:
        number = int(value)
    except ValueError:
        number = -1
    if number < 0:
        raise Invalid(
            f"the header {name} does not fit",
            errors=[{"field": name, "expected": "milliseconds, 0 or more", "got": value[:50]}],
        )
    return number
