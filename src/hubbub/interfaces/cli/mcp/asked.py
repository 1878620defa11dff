"""A request of the client that is under way, and what may be its answer."""

import asyncio
from dataclasses import dataclass, field

import msgspec

from hubbub.interfaces.cli.mcp import envelopes
from hubbub.interfaces.cli.mcp.envelopes import Envelope, Params
from hubbub.interfaces.cli.mcp.link import Session
from hubbub.interfaces.cli.mcp.mirrors import Mirrors
from hubbub.interfaces.cli.mcp.wire import Response
from hubbub.protocol.codec import UNREADABLE
from hubbub.protocol.mcp import RequestId


@dataclass(kw_only=True, eq=False)
class Asked:
    """A request that is not answered yet."""

    id: RequestId
    method: str
    params: Params
    line: bytes
    revision: str | None
    """Named by a request of the newer kind, which needs no session."""
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    answer: bytes | None = None
    last_event: str | None = None
    """From which on its answer could be taken up again."""

    @classmethod
    def of(cls, envelope: Envelope, line: bytes) -> "Asked":
        assert envelope.id is not None
        assert envelope.method is not None
        params = envelopes.params_of(envelope)
        return cls(
            id=envelope.id,
            method=envelope.method,
            params=params,
            line=line,
            revision=envelopes.revision_in(params),
        )

    def headers(self, session: Session | None, mirrors: Mirrors) -> dict[str, str]:
        if self.revision is not None:
            own = envelopes.headers_of(self.method, self.params, self.revision)
            if self.method == "tools/call":
                own |= mirrors.headers(self.params.name, self.params.arguments)
            return own
        return {} if session is None or self.method == "initialize" else session.headers

    def is_answer(self, message: bytes) -> bool:
        envelope = envelopes.opened(message)
        return envelope is not None and envelope.answers and envelope.id == self.id

    def settle(self, response: Response, body: bytes) -> None:
        """Take a response as the answer: its body, if that is one."""
        if not self.is_answer(body):
            message, data = _refusal(response, body)
            body = envelopes.failure(self.id, message, data)
        self.answer = body


class _Error(msgspec.Struct):
    message: str
    code: object = None
    details: object = None


class _Refusal(msgspec.Struct):
    error: _Error


def _refusal(response: Response, body: bytes) -> tuple[str, dict[str, object]]:
    """Why the hub turned a message away, in words and as data."""
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except UNREADABLE:
        return f"the hub answered with status {response.status}", {"status": response.status}
    told = {"code": error.code, "details": error.details, "status": response.status}
    hint = ": run `hubbub login`" if response.status == 401 else ""
    return error.message + hint, told
