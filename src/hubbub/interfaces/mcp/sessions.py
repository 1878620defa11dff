"""Clients that shook hands: what they said of themselves, and what is still to be said to them.

A session costs a few hundred bytes and may be forgotten at any time: who comes back with one that
is not known is told so, and shakes hands again. So a hub that was restarted needs to know none.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from msgspec import Raw

from hubbub.calls.model import Call
from hubbub.identity.model import KeyChanged
from hubbub.interfaces.mcp.exchange import Exchange
from hubbub.kernel.errors import TooLarge
from hubbub.protocol.mcp import RequestId, RpcError

SESSIONS_MAX: Final = 10_000
ACCOUNT_SESSIONS_MAX: Final = 2_000
IDLE_S: Final = 3600.0
QUESTIONS_MAX: Final = 64
SUBSCRIPTIONS_MAX: Final = 256


class Session:
    """One client of one account, at one of the endpoints."""

    __slots__ = (
        "account_id",
        "capabilities",
        "id",
        "key_id",
        "log_level",
        "questions",
        "running",
        "stream",
        "subscriptions",
        "used_s",
        "version",
        "view",
    )

    def __init__(
        self,
        *,
        account_id: str,
        key_id: str | None,
        view: str,
        version: str,
        capabilities: Mapping[str, Any],
    ) -> None:
        self.id = uuid4().hex
        self.account_id = account_id
        self.key_id = key_id
        self.view = view
        self.version = version
        self.capabilities = capabilities
        # Until a client says how much it wants to hear, servers say what they like.
        self.log_level = "debug"
        self.stream: Exchange | None = None
        """By which it hears what belongs to no request of its own."""
        self.running: dict[RequestId, Callable[[], None]] | None = None
        """How to stop its requests."""
        self.questions: dict[str, asyncio.Future[Raw]] | None = None
        """What it was asked and has not answered."""
        self.subscriptions: dict[str, Call] | None = None
        """By URI, the calls that tell of changes."""
        self.used_s = 0.0

    def answered(self, id: RequestId, answer: Raw | RpcError) -> None:
        """What the client answers to a question. One that nobody waits for is passed over."""
        waiting = None if self.questions is None else self.questions.pop(str(id), None)
        if waiting is None or waiting.done():
            return
        if isinstance(answer, RpcError):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)


class Sessions:
    """The sessions that are remembered: the ones used last."""

    def __init__(self, forgotten: Callable[[Session], None]) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()  # the one used longest ago first
        self._held: Counter[str] = Counter()
        self._forgotten = forgotten

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, session: Session) -> None:
        """Remember a new session, in place of the oldest where there are too many."""
        self._expire()
        account_id = session.account_id
        if self._held[account_id] >= ACCOUNT_SESSIONS_MAX:
            self.close(next(s for s in self._sessions.values() if s.account_id == account_id))
        elif len(self._sessions) >= SESSIONS_MAX:
            self.close(next(iter(self._sessions.values())))
        session.used_s = asyncio.get_running_loop().time()
        self._sessions[session.id] = session
        self._held[account_id] += 1

    def get(self, id: str, account_id: str, view: str) -> Session | None:
        """The session with this id, if it is this account's, and at this endpoint."""
        self._expire()
        session = self._sessions.get(id)
        if session is None or session.account_id != account_id or session.view != view:
            return None
        session.used_s = asyncio.get_running_loop().time()
        self._sessions.move_to_end(id)
        return session

    def close(self, session: Session) -> None:
        """Forget it, and all that was done for it."""
        if self._sessions.pop(session.id, None) is None:
            return
        self._held[session.account_id] -= 1
        if not self._held[session.account_id]:
            del self._held[session.account_id]
        for stop in list((session.running or {}).values()):
            stop()
        if session.stream is not None:
            session.stream.leave()
        self._forgotten(session)

    def leave(self, changed: KeyChanged) -> None:
        """A key is not what it was: the sessions that were made with it are over."""
        for session in list(self._sessions.values()):
            if session.account_id == changed.account_id and changed.key_id in (
                None,
                session.key_id,
            ):
                self.close(session)

    def _expire(self) -> None:
        before_s = asyncio.get_running_loop().time() - IDLE_S
        while self._sessions:
            oldest = next(iter(self._sessions.values()))
            if oldest.used_s > before_s:
                break
            if oldest.stream is not None and not oldest.stream.left:
                oldest.used_s = asyncio.get_running_loop().time()  # it still listens
                self._sessions.move_to_end(oldest.id)
                continue
            self.close(oldest)


def question(session: Session) -> tuple[str, asyncio.Future[Raw]]:
    """A place for the answer to a question.

    Raises:
        TooLarge: if too many are open.
    """
    if session.questions is None:
        session.questions = {}
    if len(session.questions) >= QUESTIONS_MAX:
        raise TooLarge("too many questions are open", maximum=QUESTIONS_MAX)
    id = f"hub-{uuid4().hex[:12]}"
    waiting = session.questions[id] = asyncio.get_running_loop().create_future()
    return id, waiting
