"""Frames of the call protocol, version 1.

Every frame is one JSON text message `{"type": ..., "id": ..., "payload": {...}}`; `id` repeats the
call's `requestId`, or is empty. `call` and `subscribe` are one exchange: `call.requested`, then any
number of `call.responded`, then at most one of `call.completed`, `call.aborted`, `call.error`. The
first `call.responded` to a query or a mutation ends it.

Whoever sends `call.requested` chooses its `requestId`, unique among its own calls in flight. The
hub gives every call an id of its own, `callId`, under which it is recorded, and tells it in every
frame that it sends to the caller. A provider sees the `callId` as `requestId`.

Inputs and outputs are `Raw`: the hub relays their bytes and never builds them anew.
"""

from typing import Final

import msgspec
from msgspec import Raw

PROTOCOL_VERSION: Final = 1
SUBPROTOCOL: Final = "hubbub.v1"

NOTHING: Final = Raw(b"")
EMPTY_INPUT: Final = Raw(b"{}")


class Payload(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a frame carries. Unknown fields are ignored, so that versions can meet."""


class Requested(Payload, frozen=True, kw_only=True):
    """Do this. From the caller to the hub, from the hub to a provider."""

    request_id: str
    operation_id: str
    input: Raw = EMPTY_INPUT
    parent_request_id: str | None = None
    deadline: int | None = None
    """Epoch milliseconds, absolute; for calls."""
    idle_timeout: int | None = None
    """Milliseconds between answers, relative; for subscriptions."""
    identity: Raw = NOTHING
    """Who asks; told by the hub to providers, ignored when it comes from outside."""
    metadata: Raw = NOTHING
    provider: str | None = None
    """Id or name of the one provider that shall answer; by default the hub chooses."""


class Responded(Payload, frozen=True, kw_only=True):
    """An answer: a response envelope."""

    request_id: str
    output: Raw
    call_id: str = ""


class Completed(Payload, frozen=True, kw_only=True):
    """No more answers will come."""

    request_id: str
    call_id: str = ""


class CallAborted(Payload, frozen=True, kw_only=True):
    """Stop it (towards the provider), or it was stopped (towards the caller)."""

    request_id: str
    call_id: str = ""
    reason: str = ""
    """cancelled_by_caller, aborted_by_parent, callee_left, timeout or hub_restart."""
    mode: str = ""
    """From a caller: skip, kill or killnowait (the default); see `hubbub.calls.model.Cancel`."""


class Failed(Payload, frozen=True, kw_only=True):
    """It failed, and why."""

    request_id: str
    code: str
    message: str
    details: Raw = NOTHING
    call_id: str = ""


class Progressed(Payload, frozen=True, kw_only=True):
    """How far a call has come. Told to the caller, never stored."""

    request_id: str
    progress: float
    total: float | None = None
    message: str = ""
    call_id: str = ""


class Hello(Payload, frozen=True, kw_only=True):
    """The hub's first frame: whom the peer reached, and what holds on this connection."""

    protocol: int
    hub: str
    connection_id: str
    account_id: str
    ping_interval_ms: int
    frame_bytes_max: int


class Drain(Payload, frozen=True, kw_only=True):
    """The hub is about to leave: finish, and come back not before `retryAfterMs`."""

    retry_after_ms: int
    reason: str


class Complaint(Payload, frozen=True, kw_only=True):
    """A frame could not be understood. Nothing was done; the connection goes on."""

    code: str
    message: str
    details: Raw = NOTHING


class Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """The outer object of every message."""

    id: str = ""


class CallRequested(Frame, frozen=True, kw_only=True, tag="call.requested"):
    payload: Requested


class CallResponded(Frame, frozen=True, kw_only=True, tag="call.responded"):
    payload: Responded


class CallCompleted(Frame, frozen=True, kw_only=True, tag="call.completed"):
    payload: Completed


class CallAbort(Frame, frozen=True, kw_only=True, tag="call.aborted"):
    payload: CallAborted


class CallFailed(Frame, frozen=True, kw_only=True, tag="call.error"):
    payload: Failed


class CallProgressed(Frame, frozen=True, kw_only=True, tag="call.progress"):
    payload: Progressed


class HubHello(Frame, frozen=True, kw_only=True, tag="hub.hello"):
    payload: Hello


class HubDrain(Frame, frozen=True, kw_only=True, tag="hub.drain"):
    payload: Drain


class HubComplaint(Frame, frozen=True, kw_only=True, tag="hub.error"):
    payload: Complaint


CallFrame = CallRequested | CallResponded | CallCompleted | CallAbort | CallFailed | CallProgressed
HubFrame = HubHello | HubDrain | HubComplaint
