"""A process that offers operations to a hub."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import msgspec

from hubbub.client import websocket
from hubbub.client.backoff import RECONNECT, Backoff, hint_ms
from hubbub.client.caller import Caller
from hubbub.client.connection import LEAVE_S, Connection
from hubbub.client.dialing import greeted, stay_connected, used
from hubbub.client.host import host_info
from hubbub.client.offers import Offer, Terms, offer
from hubbub.client.presence import Presence
from hubbub.client.serving import Serving
from hubbub.client.threads import Slots, Threads
from hubbub.client.transport import Closed, Transport
from hubbub.kernel.errors import (
    Aborted,
    AccessDenied,
    Conflict,
    HubError,
    Invalid,
    NotFound,
    OperationNotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from hubbub.protocol import frames
from hubbub.protocol.signatures import OperationType
from hubbub.protocol.specs import ErrorDefinition, Registration, RegistrationResult, SpokeType

F = TypeVar("F", bound=Callable[..., Any])

REGISTER_S = 30.0
DRAIN_S = 30.0

# A registration that was refused like this will be refused again.
_FINAL = (Unauthenticated, AccessDenied, Invalid, Conflict, TooLarge, OperationNotFound)


class Spoke:
    """Offers typed functions as operations.

    spoke = Spoke("laptop")

    @spoke.operation(namespace="dev.fs", scopes=("dev:read",))
    def read(path: str, limit: int = 100) -> list[str]:
        return Path(path).read_text().splitlines()[:limit]

    await spoke.run("http://127.0.0.1:4820", key=key)
    """

    def __init__(
        self,
        name: str,
        *,
        type: SpokeType = "dev-env",
        concurrency_max: int = 64,
        project_id: str | None = None,
        reconnect: Backoff = RECONNECT,
    ) -> None:
        self.name = name
        self._type: SpokeType = type
        self._concurrency_max = concurrency_max
        self._project_id = project_id
        self._reconnect = reconnect
        self._spoke_id: str | None = None
        self._refusal: HubError | None = None
        self._offers: dict[str, Offer] = {}
        self._slots = Slots(concurrency_max)
        self._threads = Threads(self._slots, concurrency_max)
        self._registered: Presence[RegistrationResult] = Presence()
        self._present: Presence[Connection] = Presence()
        self._leaving = asyncio.Event()
        self._drain_s = DRAIN_S
        self._left = asyncio.Event()
        self._left.set()
        self.hub = Caller(self._present.get)
        """For calls that the spoke makes on its own account; see `CallContext` for the others."""

    def operation(
        self,
        *,
        namespace: str,
        name: str | None = None,
        type: OperationType | None = None,
        shared: bool = False,
        idempotent: bool = False,
        scopes: tuple[str, ...] = (),
        errors: tuple[ErrorDefinition, ...] = (),
        tags: tuple[str, ...] = (),
    ) -> Callable[[F], F]:
        """Offer the decorated function; it stays the function that it was.

        Its parameters are the fields of the input, in camel case, and its return type is the
        output. `async def` runs on the loop, `def` in a thread. One that yields is a subscription.
        A parameter annotated `CallContext` takes the context. A `HubError` that it raises goes to
        the caller as it is; any other exception as EXECUTION_ERROR with its message.

        Args:
            name: by default the function's, in camel case.
            type: by default `query`, or `subscription` if it yields; say `mutation` if it changes
                anything.
            shared: beside other spokes that offer the same under the same name.
            idempotent: whether the hub may send a call again that may have run.
            scopes: all of them are required of a caller.
            errors: those that the function raises, for the caller to read.

        Raises:
            TypeError, ValueError: the function cannot be offered, and why.
        """
        terms = Terms(
            namespace=namespace,
            name=name,
            type=type,
            shared=shared,
            idempotent=idempotent,
            scopes=scopes,
            errors=errors,
            tags=tags,
        )

        def decorate(function: F) -> F:
            self._add(offer(function, terms))
            return function

        return decorate

    def _add(self, offer: Offer) -> None:
        if offer.spec.id in self._offers:
            raise ValueError(f"{offer.spec.id} is offered already")
        self._offers[offer.spec.id] = offer

    async def run(self, url: str, *, key: str) -> None:
        """Connect, register and serve, and again whenever the connection is lost.

        Returns when `drain` was called. Cancelling it closes the connection at once.

        Raises:
            Unauthenticated: the hub does not accept the key.
            Conflict: a newer connection of the same spoke took over.
            HubError: the hub refused the registration, and would again.
        """
        await self._serving(
            stay_connected(
                partial(websocket.dial, url, key),
                self._use,
                backoff=self._reconnect,
                leaving=self._leaving,
            )
        )

    async def serve(self, transport: Transport) -> None:
        """As `run`, over one wire that is there already, until it is closed.

        Raises: as `run`, and Unavailable.
        """
        await self._serving(self._serve(transport))

    async def ready(self) -> RegistrationResult:
        """Wait until the hub has accepted the registration; what it answered.

        Raises:
            HubError: it never will.
        """
        return await self._registered.get()

    async def drain(self, timeout_s: float = DRAIN_S) -> None:
        """Leave: refuse new calls as not started, finish those that run, close; `run` returns.

        Calls that still run after `timeout_s` are aborted. A spoke that was drained is done.
        """
        self._drain_s = timeout_s
        self._leaving.set()
        await self._left.wait()

    async def _serving(self, work: Coroutine[Any, Any, None]) -> None:
        self._left.clear()
        try:
            await work
        except HubError as error:
            self._registered.fail(error)
            self._present.fail(error)
            raise
        finally:
            if self._leaving.is_set():
                self._registered.fail(Aborted("the spoke has left", reason="closed"))
                self._present.fail(Aborted("the spoke has left", reason="closed"))
            self._threads.shut_down()
            self._left.set()

    async def _serve(self, transport: Transport) -> None:
        await used(await greeted(transport), self._use)

    async def _use(self, connection: Connection) -> None:
        serving = Serving(connection, self._offers, self._slots, self._threads)
        self._refusal = None
        connection.spawn(self._register(connection))
        connection.spawn(self._leave(connection, serving))
        try:
            await _read(connection, serving)
        except Closed:
            if self._refusal is not None:
                raise self._refusal from None
            raise
        finally:
            serving.forsake()
            self._registered.clear()
            self._present.clear()

    async def _register(self, connection: Connection) -> None:
        async def this_one() -> Connection:
            return connection

        try:
            answer = await Caller(this_one).call_raw(
                "hub.register", self._registration(), timeout_s=REGISTER_S
            )
            result = msgspec.json.decode(answer.envelope.data, type=RegistrationResult)
        except HubError as error:
            if isinstance(error, NotFound):
                self._spoke_id = None  # the hub has forgotten it, and will know it by its name
            self._refusal = error if isinstance(error, _FINAL) else _for_now(error)
            await connection.close()
        except msgspec.MsgspecError as error:
            self._refusal = Unavailable("the hub answered no registration", reason=str(error))
            await connection.close()
        else:
            self._spoke_id = result.spoke_id
            self._present.set(connection)
            self._registered.set(result)

    def _registration(self) -> Registration:
        return Registration(
            name=self.name,
            spoke_type=self._type,
            operations=tuple(offer.spec for offer in self._offers.values()),
            spoke_id=self._spoke_id,
            project_id=self._project_id,
            host_info=host_info(),
            concurrency_max=self._concurrency_max,
        )

    async def _leave(self, connection: Connection, serving: Serving) -> None:
        await self._leaving.wait()
        serving.drain()
        try:
            if not await _idle_within(serving, self._drain_s):
                serving.abort_all("callee_left")
                await _idle_within(serving, LEAVE_S)
        finally:
            await connection.close()


async def _idle_within(serving: Serving, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await serving.idle()
    except TimeoutError:
        return False
    return True


async def _read(connection: Connection, serving: Serving) -> None:
    async for frame in connection.incoming():
        match frame:
            case frames.CallRequested(payload=payload):
                await serving.take(payload)
            case frames.CallAbort(payload=payload):
                serving.abort(payload)
            case frames.HubDrain():
                connection.spawn(_finish(connection, serving))


async def _finish(connection: Connection, serving: Serving) -> None:
    """The hub is about to leave: end what runs, and go before it does."""
    serving.drain()
    await serving.idle()
    await connection.settled()
    await connection.close()


def _for_now(error: HubError) -> Unavailable:
    return Unavailable(
        "the hub did not accept the registration",
        code=error.name,
        reason=error.message,
        retryAfterMs=hint_ms(error.details),
    )
