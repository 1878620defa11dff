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
from hubbub.calls.waiting import Calls
from hubbub.identity.door import Door
from hubbub.identity.model import KeyChanged
from hubbub.interfaces.guard import Guard, bearer
from hubbub.interfaces.peercalls import PeerCalls
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import HubError, Invalid
from hubbub.kernel.events import Bus
from hubbub.kernel.ids import new_id
from hubbub.kernel.limits import FRAME_BYTES_MAX
from hubbub.operations.context import Caller
from hubbub.protocol import codec, frames
from hubbub.protocol.closing import BROKEN, RESTARTING, SLOW, TOO_BIG, UNAUTHENTICATED
from hubbub.protocol.codec import encode
from hubbub.spokes.presence import Presence

log = logging.getLogger(__name__)

EARLY_BYTES_MAX: Final = 1024 * 1024
FAREWELL_S: Final = 2.0
"""How long a peer that is cut off may take to read why."""


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
            connection.close(RESTARTING, "the hub is restarting")
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
    """One peer: where the calls that it asks for come from, and the way to what it offers."""

    def __init__(self, sockets: WebSocketDoor) -> None:
        self.connection_id = new_id()
        self.open = False
        self._listening = False
        self._sockets = sockets
        self._transport: Any = None  # from `on_ws_connected` on
        self._calls: PeerCalls | None = None  # None until it is known whose they are
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
        self._sockets.connections.add(self)
        transport.underlying_transport.pause_reading()
        self._sockets.tasks.start_soon(self._enter, transport)

    async def _enter(self, transport: WSTransport) -> None:
        try:
            await self._let_in(transport)
        except HubError as error:
            self.close(UNAUTHENTICATED, f"{error.name}: {error.message}")
        except Exception:
            log.exception("nobody could be let in")
            self.close(BROKEN, "the hub cannot tell whose key it is just now")

    async def _let_in(self, transport: WSTransport) -> None:
        headers = transport.request.headers
        peer = transport.underlying_transport.get_extra_info("peername")
        caller = await self._sockets.door.enter(
            bearer(headers.get("Authorization")), peer[0] if peer else "unknown"
        )
        hello = self._hello(caller)  # a connection is always somebody's
        if not self.open:
            return
        self._calls = PeerCalls(
            self._sockets.calls,
            replace(caller, peer=self),
            tasks=self._sockets.tasks,
            send=self.send,
            quiet=self._quiet,
        )
        if caller.until is not None:
            left_s = (caller.until - utc_now()).total_seconds()
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(left_s, self.expel, "the key has expired")
        self.send(encode(frames.HubHello(payload=hello)))
        for message in self._early:
            self._received(message)
        self._early.clear()
        transport.underlying_transport.resume_reading()

    def opened_by(self, changed: KeyChanged) -> bool:
        """Whether it stands on a key that has changed."""
        return self._calls is not None and changed.concerns(self._calls.caller)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.open = self._listening = False
        self._sockets.connections.discard(self)
        self._sockets.presence.left(self)
        if self._expiry is not None:
            self._expiry.cancel()
        if self._calls is not None:
            self._calls.abandon(changes=True)

    def expel(self, reason: str) -> None:
        """Take nothing more from a peer whose key no longer counts, and end the connection.

        The hub's own changes that are under way are answered first. One of them may be the very
        one that changed the key, and its answer holds the new secret.
        """
        if not self.open or self._expelled is not None:
            return
        self._expelled = reason
        self._listening = False
        self._sockets.presence.left(self)
        calls = self._calls
        if calls is not None:
            calls.abandon(changes=False)
        if calls is not None and calls.in_flight:
            asyncio.get_running_loop().call_later(FAREWELL_S, self._close_expelled)
        else:
            self._close_expelled()

    def _quiet(self) -> None:
        if self._expelled is not None:
            asyncio.get_running_loop().call_soon(self._close_expelled)

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
            self._sockets.touched(self)
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
            if waiting - max(map(len, out)) > self._sockets.peer_bytes_max:
                self._sockets.slow_peers += 1
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
            self._sockets.flush()

    def _part(self, frame: WSFrame) -> None:
        self._parts += frame.get_payload_as_memoryview()
        if len(self._parts) > FRAME_BYTES_MAX:
            self.close(TOO_BIG, f"a message may have {FRAME_BYTES_MAX} bytes")
        elif frame.fin:
            message = bytes(self._parts)
            self._parts.clear()
            self._received(message)

    def _received(self, message: bytes) -> None:
        if self._calls is None:
            self._early.append(message)
            if sum(map(len, self._early)) > EARLY_BYTES_MAX:
                self.close(SLOW, "wait for hub.hello before sending more")
            return
        try:
            self._taken(codec.decode_call_frame(message), self._calls)
        except Invalid as error:
            self._complain(error)

    def _taken(self, frame: frames.CallFrame, calls: PeerCalls) -> None:
        match frame:
            case frames.CallRequested(payload=payload):
                calls.requested(payload)
            case frames.CallAbort(payload=payload) if payload.request_id in calls:
                calls.aborted(payload)
            case _:
                self._sockets.presence.received(self, frame)

    def _complain(self, error: HubError) -> None:
        payload = frames.Complaint(
            code=error.name, message=error.message, details=Raw(encode(error.details))
        )
        self.send(encode(frames.HubComplaint(payload=payload)))

    def _hello(self, caller: Caller) -> frames.Hello:
        return frames.Hello(
            protocol=frames.PROTOCOL_VERSION,
            hub=f"hubbub/{__version__}",
            connection_id=self.connection_id,
            account_id=caller.account_id,
            ping_interval_ms=round(self._sockets.ping_s * 1000),
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
