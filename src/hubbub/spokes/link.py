"""The way to a spoke: calls become frames on its connection."""

from hubbub.calls.model import Call, Reason
from hubbub.kernel.errors import Unavailable
from hubbub.operations.context import Peer
from hubbub.protocol.codec import encode
from hubbub.protocol.frames import CallAbort, CallAborted, CallRequested, Requested


class SpokeLink:
    """Sends calls to one connection of a spoke."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def send(self, call: Call) -> None:
        if not self.peer.open:
            raise Unavailable("the spoke's connection is closing")
        idle_s = call.idle_timeout_s
        self.peer.send(
            encode(
                CallRequested(
                    id=call.id,
                    payload=Requested(
                        request_id=call.id,
                        operation_id=call.local_id,
                        input=call.input,
                        parent_request_id=call.parent_id,
                        deadline=call.deadline_ms,
                        idle_timeout=None if idle_s is None else round(idle_s * 1000),
                        identity=call.caller.identity_json,
                    ),
                )
            )
        )

    def abort(self, call: Call, reason: Reason) -> None:
        payload = CallAborted(request_id=call.id, reason=reason.value)
        self.peer.send(encode(CallAbort(id=call.id, payload=payload)))
