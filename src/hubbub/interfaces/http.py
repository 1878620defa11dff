"""Operations over HTTP: `POST /v1/{namespace}/{name}`, `GET` for queries with a flat input."""

from collections.abc import AsyncGenerator
from typing import Final

import msgspec
from msgspec import Raw
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hubbub.calls.model import Ask
from hubbub.calls.offers import Offers
from hubbub.calls.waiting import Answer
from hubbub.catalog.model import Definition
from hubbub.interfaces.entrance import Entrance, unless_left
from hubbub.interfaces.errors import error_body, error_response
from hubbub.interfaces.querystring import flat_input
from hubbub.interfaces.streams import EVENTS, EventStream, event
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import HubError, Invalid
from hubbub.operations.context import Caller
from hubbub.protocol.codec import UNREADABLE, encode
from hubbub.protocol.frames import Progressed

CALL_ID: Final = "Hubbub-Call-Id"
TIMEOUT: Final = "Hubbub-Timeout-Ms"
PROVIDER: Final = "Hubbub-Provider"
PARENT: Final = "Hubbub-Parent-Call"

JSON: Final = "application/json"


class HttpDoor:
    """The endpoints of all operations."""

    def __init__(self, *, entrance: Entrance, offers: Offers) -> None:
        self._entrance = entrance
        self._offers = offers

    async def call(self, request: Request) -> Response:
        """One call. A subscription, and whoever accepts nothing else, gets server-sent events."""
        definition: Definition | None = None
        try:
            caller, body = await self._entrance.received(request)
            ask = _ask(request)
            definition = self._meant(ask, caller)
            input = _flat(request, definition) if request.method == "GET" else _checked(body)
            ask = msgspec.structs.replace(ask, input=Raw(input))
            streams = definition is not None and definition.streams
            if streams or request.headers.get("accept") == EVENTS:
                return await self._events(ask, caller)
            return await unless_left(request, self._answer(ask, caller))
        except HubError as error:
            return error_response(error, None if definition is None else definition.spec)
        except ClientDisconnect:
            return Response(status_code=499)

    def _meant(self, ask: Ask, caller: Caller) -> Definition | None:
        """What is asked for, by whichever of its names; None where the call will say why not."""
        try:
            return self._offers.find(ask, caller.account_id).definition
        except HubError:
            return None

    async def _answer(self, ask: Ask, caller: Caller) -> Response:
        async with self._entrance.opened(ask, caller) as (call, answers):
            answer = await anext(answers)
        assert isinstance(answer, Raw)  # progress was not asked for
        return Response(bytes(answer), media_type=JSON, headers={CALL_ID: call.id})

    async def _events(self, ask: Ask, caller: Caller) -> Response:
        events = self._event_stream(ask, caller)
        # The first event decides whether this is an answer or an error with a status of its own.
        return EventStream(events, first=await anext(events))

    async def _event_stream(self, ask: Ask, caller: Caller) -> AsyncGenerator[bytes]:
        async with self._entrance.opened(ask, caller, wants_progress=True) as (call, answers):
            if call.outcome is not None and call.outcome.error is not None:
                raise call.outcome.error
            yield event("began", encode({"callId": call.id}))
            try:
                async for answer in answers:
                    yield _answer_event(answer)
            except HubError as error:
                yield event("error", encode(error_body(error)["error"]))
            else:
                yield event("completed", b"{}")


def _answer_event(answer: Answer) -> bytes:
    if isinstance(answer, Progressed):
        return event("progress", encode(answer))
    return event("answer", bytes(answer))


def _ask(request: Request) -> Ask:
    timeout_ms = _header_int(request, TIMEOUT)
    return Ask(
        operation_id=f"{request.path_params['namespace']}.{request.path_params['name']}",
        parent_id=request.headers.get(PARENT),
        deadline_ms=None if timeout_ms is None else epoch_ms() + timeout_ms,
        idle_timeout_ms=timeout_ms,
        provider=request.headers.get(PROVIDER),
    )


def _flat(request: Request, definition: Definition | None) -> bytes:
    """The query string as an input."""
    if definition is not None and definition.spec.type == "mutation":
        raise Invalid(
            "a mutation is asked for by POST",
            errors=[{"field": "method", "expected": "POST", "got": "GET"}],
        )
    schema = {} if definition is None else definition.spec.input_schema
    return encode(flat_input(request.query_params.multi_items(), schema))


def _checked(body: bytes) -> bytes:
    """The body as an input, which is JSON or nothing.

    Raises:
        Invalid: if it is something else. What cannot be read later must not be recorded.
    """
    body = body or b"{}"
    try:
        msgspec.json.decode(body.decode(), type=Raw)
    except UNREADABLE as error:
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
