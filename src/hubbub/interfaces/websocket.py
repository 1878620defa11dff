"""Callers and spokes over WebSocket. One connection may be both.

A frame is decoded, routed and sent on within the callback that brought it: no queue, no task, no
wait. What a peer does not read fast enough waits in its socket's buffer; over its budget the peer
is cut off, and nobody else is disturbed.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from anyio.abc import TaskGroup
from msgspec import Raw
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)

from hubbub import __version__
from hubbub.calls.model import Ask, Call, Cancel, Outcome
from hubbub.calls.offers import NotOffered
from hubbub.calls.waiting import Calls
from hubbub.identity.door import Door
from hubbub.identity.model import KeyChanged
from hubbub.interfaces.guard import Guard, bearer
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import Busy, Conflict, HubError, Invalid
from hubbub.kernel.events import Bus
from hubbub.kernel.groups import surviving
from hubbub.kernel.ids import new_id
from hubbub.kernel.limits import FRAME_BYTES_MAX, ID_CHARS_MAX
from hubbub.operations.context import Caller
from hubbub.protocol import codec, frames
from hubbub.protocol.codec import encode
from hubbub.spokes.presence import Presence

log = logging.getLogger(__name__)

CALLS_MAX: Final = 20_000
EARLY_BYTES_MAX: Final = 1024 * 1024
FAREWELL_S: Final = 2.0
"""How long a peer that is cut off may take to read why."""

NORMAL: Final = 1000
GOING_AWAY: Final = 1012
UNAUTHENTICATED: Final = 4001
SLOW: Final = 4008
TOO_BIG: Final = 1009
BROKEN: Final = 1011


class WebSocketDoor:
    """Lets peers in at `/ws`, and knows those who are inside."""

    def __init__(
        self,
        *,
        calls: Calls,
        presence: Presence,
        door: Door,
        bus: Bus,
        guard: Guard,
        tasks: TaskGroup,
        ping_s: float,
        peer_bytes_max: int,
    ) -> None:
        self.calls = calls
        self.presence = presence
        self.door = door
        self.tasks = tasks
        self.ping_s = ping_s
        self.peer_bytes_max = peer_bytes_max
        self.slow_peers = 0
        self.connections: set[Connection] = set()
        self._guard = guard
        self._touched: list[Connection] = []  # those with frames that are not yet sent
        bus.listen(KeyChanged, self._key_changed)

    def upgrade(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        """The answer to a request for a WebSocket. Whose it is, is asked once it stands: a close
        code tells a browser more than a refused upgrade would."""
        refusal = self._guard.refusal(request.headers)
        if refusal is not None:
            return _refused(403, refusal.message)
        offered = [name.strip() for name in _listed(request.headers)]
        if offered and frames.SUBPROTOCOL not in offered:
            return _refused(400, f"this hub speaks {frames.SUBPROTOCOL}")
        chosen = {"Sec-WebSocket-Protocol": frames.SUBPROTOCOL} if offered else None
        response = WSUpgradeResponse.create_101_response(chosen)
        return WSUpgradeResponseWithListener(response, Connection(self))

    def touched(self, connection: "Connection") -> None:
        """A connection has something to send: at the end of this turn of the loop, or sooner."""
        if not self._touched:
            asyncio.get_running_loop().call_soon(self.flush)
        self._touched.append(connection)

    def flush(self) -> None:
        """Send what has gathered. What came in one read goes out in one write a peer."""
        touched, self._touched = self._touched, []
        for connection in touched:
            connection.flush()

    def goodbye(self, retry_after_ms: int) -> None:
        """Tell everybody that the hub is about to leave."""
        payload = frames.Drain(retry_after_ms=retry_after_ms, reason="the hub is restarting")
        frame = encode(frames.HubDrain(payload=payload))
        for connection in list(self.connections):
            connection.send(frame)

    def close(self) -> None:
        """End all connections."""
        for connection in list(self.connections):
            connection.close(GOING_AWAY, "the hub is restarting")
            connection.hang_up()

    def _key_changed(self, changed: KeyChanged) -> None:
        for connection in list(self.connections):
            if connection.opened_by(changed):
                connection.expel("the key is not what it was")


def _listed(headers: Mapping[str, str]) -> list[str]:
    value = headers.get("Sec-WebSocket-Protocol")
    return value.split(",") if value else []


def _refused(status: int, message: str) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse.create_error_response(status, message.encode())
    return WSUpgradeResponseWithListener(response, None)


class Connection(WSListener):
    """One peer: the sink of the calls that it asks for, and the way to what it offers."""

    def __init__(self, house: WebSocketDoor) -> None:
        self.connection_id = new_id()
        self.open = False
        self._listening = False
        self._house = house
        self._router = house.calls.router
        self._transport: Any = None  # from `on_ws_connected` on
        self._caller: Caller | None = None
        self._calls: dict[str, Call] = {}
        self._out: list[bytes] = []
        self._parts = bytearray()  # of a message in several frames, which may be empty
        self._early: list[bytes] = []  # messages that came before it was known whose they are
        self._choked = False
        self._expelled: str | None = None  # why, from `expel` on
        self._expiry: asyncio.TimerHandle | None = None  # of the key

    # It comes, and it goes.

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self.open = self._listening = True
        self._house.connections.add(self)
        transport.underlying_transport.pause_reading()
        self._house.tasks.start_soon(self._enter, transport)

    async def _enter(self, transport: WSTransport) -> None:
        headers = transport.request.headers
        peer = transport.underlying_transport.get_extra_info("peername")
        try:
            caller = await self._house.door.enter(
                bearer(headers.get("Authorization")), peer[0] if peer else "unknown"
            )
            caller.account_id  # noqa: B018  # a connection is always somebody's
        except HubError as error:
            self.close(UNAUTHENTICATED, f"{error.name}: {error.message}")
            return
        except Exception:
            log.exception("nobody could be let in")
            self.close(BROKEN, "the hub cannot tell whose key it is just now")
            return
        if not self.open:
            return
        self._caller = replace(caller, peer=self)
        if caller.until is not None:
            left_s = (caller.until - utc_now()).total_seconds()
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(left_s, self.expel, "the key has expired")
        self.send(encode(frames.HubHello(payload=self._hello(self._caller))))
        for message in self._early:
            self._received(message)
        self._early.clear()
        transport.underlying_transport.resume_reading()

    def opened_by(self, changed: KeyChanged) -> bool:
        """Whether it stands on a key that has changed."""
        return self._caller is not None and changed.concerns(self._caller)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.open = self._listening = False
        self._house.connections.discard(self)
        self._house.presence.left(self)
        if self._expiry is not None:
            self._expiry.cancel()
        for call in list(self._calls.values()):
            self._router.abort(call)
        self._calls.clear()

    def expel(self, reason: str) -> None:
        """Take nothing more from a peer whose key no longer counts, and end the connection.

        The hub's own changes that are under way are answered first. One of them may be the very
        one that changed the key, and its answer holds the new secret.
        """
        if not self.open or self._expelled is not None:
            return
        self._expelled = reason
        self._listening = False
        self._house.presence.left(self)
        for call in list(self._calls.values()):
            if not call.changes_hub:
                self._router.abort(call)
        if self._calls:
            asyncio.get_running_loop().call_later(FAREWELL_S, self._close_expelled)
        else:
            self._close_expelled()

    def _close_expelled(self) -> None:
        self.close(UNAUTHENTICATED, self._expelled or "")

    def close(self, code: int, reason: str) -> None:
        """End the connection; what waits is sent first, if the peer reads it soon."""
        if not self.open:
            return
        self.flush()
        self.open = False
        self._transport.send_close(code, reason.encode()[:120])
        # Read on until the other end has understood: a socket that is closed while frames lie in
        # it unread is reset, and the reason, which was sent last, is lost on the way.
        self._transport.underlying_transport.resume_reading()
        asyncio.get_running_loop().call_later(FAREWELL_S, self._transport.disconnect, False)
        # Its calls and its offers end now, not when the other end has understood.
        self.on_ws_disconnected(self._transport)

    def hang_up(self) -> None:
        """Do not wait until the other end has understood."""
        self._transport.disconnect()

    # Out.

    def send(self, frame: bytes) -> None:
        """Hand over a frame. Over its budget, the peer is cut off."""
        if not self.open:
            return
        if not self._out:
            self._house.touched(self)
        self._out.append(frame)

    def flush(self) -> None:
        """Send what was handed over."""
        out, self._out = self._out, []
        if self._transport.is_disconnected or not out:
            return
        if len(out) == 1:
            self._transport.send(WSMsgType.TEXT, out[0])
        else:
            self._transport.underlying_transport.write(b"".join(map(framed, out)))
        if self._choked:
            waiting = self._transport.underlying_transport.get_write_buffer_size()
            # One frame may be larger than the budget, and nobody reads that in no time.
            if waiting - max(map(len, out)) > self._house.peer_bytes_max:
                self._house.slow_peers += 1
                self.close(SLOW, "too much was waiting to be read")

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False

    # In.

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            if self.open:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif kind == WSMsgType.PING or kind == WSMsgType.PONG or not self._listening:
            return
        elif frame.fin and not self._parts:
            self._received(frame.get_payload_as_bytes())
        else:
            self._part(frame)
        if frame.last_in_buffer:
            self._house.flush()

    def _part(self, frame: WSFrame) -> None:
        self._parts += frame.get_payload_as_memoryview()
        if len(self._parts) > FRAME_BYTES_MAX:
            self.close(TOO_BIG, f"a message may have {FRAME_BYTES_MAX} bytes")
        elif frame.fin:
            message = bytes(self._parts)
            self._parts.clear()
            self._received(message)

    def _received(self, message: bytes) -> None:
        if self._caller is None:
            self._early.append(message)
            if sum(map(len, self._early)) > EARLY_BYTES_MAX:
                self.close(SLOW, "wait for hub.hello before sending more")
            return
        try:
            frame = codec.decode_call_frame(message)
        except Invalid as error:
            self._complain(error)
            return
        match frame:
            case frames.CallRequested(payload=payload):
                self._requested(payload, self._caller)
            case frames.CallAbort(payload=payload) if payload.request_id in self._calls:
                self._aborted(self._calls[payload.request_id], payload)
            case _:
                self._house.presence.received(self, frame)

    def _requested(self, payload: frames.Requested, caller: Caller) -> None:
        if len(payload.request_id) > ID_CHARS_MAX:
            expected = f"at most {ID_CHARS_MAX} characters"
            errors = [{"field": "$.payload.requestId", "expected": expected}]
            self._complain(Invalid("the frame cannot be read", errors=errors))
            return
        ask = Ask(
            operation_id=payload.operation_id,
            input=payload.input,
            request_id=payload.request_id,
            parent_id=payload.parent_request_id,
            deadline_ms=payload.deadline,
            idle_timeout_ms=payload.idle_timeout,
            provider=payload.provider,
        )
        try:
            self._check(ask)
            call = self._router.open(ask, caller, self)
        except NotOffered as error:
            self._house.tasks.start_soon(surviving, self._explain, error, ask, caller)
        except HubError as error:
            self.send(encode(codec.failed(ask.request_id, error)))
        else:
            if call.outcome is None:
                self._calls[ask.request_id] = call

    def _check(self, ask: Ask) -> None:
        if ask.request_id in self._calls:
            raise Conflict("a call of yours with this id is in flight", requestId=ask.request_id)
        if len(self._calls) >= CALLS_MAX:
            raise Busy("too many calls in flight on one connection", retryAfterMs=100)

    async def _explain(self, error: NotOffered, ask: Ask, caller: Caller) -> None:
        try:
            explained = await self._house.calls.explained(error, ask, caller)
        except Exception:
            self.send(encode(codec.failed(ask.request_id, error)))
            raise
        self.send(encode(codec.failed(ask.request_id, explained)))

    def _aborted(self, call: Call, payload: frames.CallAborted) -> None:
        try:
            mode = Cancel(payload.mode) if payload.mode else Cancel.KILLNOWAIT
        except ValueError:
            expected = " | ".join(Cancel)
            errors = [{"field": "$.payload.mode", "expected": expected}]
            self._complain(Invalid("the frame cannot be read", errors=errors))
            return
        self._router.abort(call, mode)

    def _complain(self, error: HubError) -> None:
        payload = frames.Complaint(
            code=error.name, message=error.message, details=Raw(encode(error.details))
        )
        self.send(encode(frames.HubComplaint(payload=payload)))

    # What becomes of the peer's own calls.

    def answered(self, call: Call, output: Raw) -> None:
        payload = frames.Responded(request_id=call.request_id, call_id=call.id, output=output)
        self.send(encode(frames.CallResponded(id=call.request_id, payload=payload)))

    def progressed(self, call: Call, progress: frames.Progressed) -> None:
        payload = frames.Progressed(
            request_id=call.request_id,
            call_id=call.id,
            progress=progress.progress,
            total=progress.total,
            message=progress.message,
        )
        self.send(encode(frames.CallProgressed(id=call.request_id, payload=payload)))

    def ended(self, call: Call, outcome: Outcome) -> None:
        self._calls.pop(call.request_id, None)
        if outcome.output is not None:
            self.answered(call, outcome.output)
        else:
            self.send(encode(_ending(call, outcome)))
        if self._expelled is not None and not self._calls:
            asyncio.get_running_loop().call_soon(self._close_expelled)

    def _hello(self, caller: Caller) -> frames.Hello:
        return frames.Hello(
            protocol=frames.PROTOCOL_VERSION,
            hub=f"hubbub/{__version__}",
            connection_id=self.connection_id,
            account_id=caller.account_id,
            ping_interval_ms=round(self._house.ping_s * 1000),
            frame_bytes_max=FRAME_BYTES_MAX,
        )


def framed(message: bytes) -> bytes:
    """A text message as a server sends it: one frame, not masked (RFC 6455, section 5.2)."""
    size = len(message)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + message
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + message
    return b"\x81\x7f" + size.to_bytes(8, "big") + message


def _ending(call: Call, outcome: Outcome) -> Any:
    request_id = call.request_id
    if outcome.status == "aborted":
        reason = outcome.reason.value if outcome.reason is not None else ""
        aborted = frames.CallAborted(request_id=request_id, call_id=call.id, reason=reason)
        return frames.CallAbort(id=request_id, payload=aborted)
    if outcome.error is not None:
        return codec.failed(request_id, outcome.error, call.id)
    completed = frames.Completed(request_id=request_id, call_id=call.id)
    return frames.CallCompleted(id=request_id, payload=completed)
