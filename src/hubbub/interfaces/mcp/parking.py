"""Calls that wait until their client comes back with the answer to a question.

The newer revision has no questions from servers to clients. A result says what is to be known, and
the client asks again. A server of the older ones waits for its answer in the middle of a call; so
the call is kept open, and the client is given a state by which it is found again. The state is
authenticated, belongs to one account and one request, and ends.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import msgspec

from hubbub.interfaces.entrance import Entrance
from hubbub.interfaces.mcp.relay import Relay
from hubbub.kernel.errors import Busy
from hubbub.protocol.codec import encode
from hubbub.protocol.mcp import INVALID_PARAMS, RpcError

OURS: Final = "hubbub."
PARKED_S: Final = 600.0
PARKED_MAX: Final = 1_000
ACCOUNT_PARKED_MAX: Final = 64


class _State(msgspec.Struct, frozen=True, array_like=True):
    id: str
    account_id: str
    subject: str
    """What was asked for."""
    until_s: float


@dataclass(frozen=True, kw_only=True)
class _Parked:
    relay: Relay
    account_id: str
    expiry: asyncio.TimerHandle


class Parking:
    """The calls that wait. A hub that stops forgets them, and then nobody can guess its key."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._key = secrets.token_bytes(32)
        self._parked: dict[str, _Parked] = {}
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._parked)

    def park(self, relay: Relay, account_id: str, subject: str) -> str:
        """Keep a call open; the state by which it is found again.

        Raises:
            Busy: if too many wait already.
        """
        if len(self._parked) >= PARKED_MAX or self._held[account_id] >= ACCOUNT_PARKED_MAX:
            raise Busy("too many calls wait for answers", retryAfterMs=1000)
        id = secrets.token_urlsafe(12)
        expiry = asyncio.get_running_loop().call_later(PARKED_S, self._expired, id)
        self._parked[id] = _Parked(relay=relay, account_id=account_id, expiry=expiry)
        self._held[account_id] += 1
        self._entrance.extend(relay.call, PARKED_S)
        return self._sealed(_State(id, account_id, subject, time.time() + PARKED_S))

    def resumed(self, state: str, account_id: str, subject: str) -> Relay:
        """The call that this state stands for. It is found once.

        Raises:
            RpcError: if the state is not one, not this account's, not of this request, or over.
        """
        found = self._opened(state)
        if found is None or found.account_id != account_id or found.subject != subject:
            raise RpcError(INVALID_PARAMS, "the requestState is not one that was given for this")
        parked = self._taken(found.id)
        if parked is None or found.until_s < time.time() or parked.relay.call.outcome is not None:
            raise RpcError(INVALID_PARAMS, "what the requestState stands for is over: ask anew")
        return parked.relay

    def clear(self) -> None:
        """The hub leaves: nobody can come back to these."""
        for id in list(self._parked):
            self._expired(id)

    def _expired(self, id: str) -> None:
        parked = self._taken(id)
        if parked is not None:
            self._entrance.end(parked.relay.call)

    def _taken(self, id: str) -> _Parked | None:
        parked = self._parked.pop(id, None)
        if parked is not None:
            parked.expiry.cancel()
            self._held[parked.account_id] -= 1
            if not self._held[parked.account_id]:
                del self._held[parked.account_id]
        return parked

    def _sealed(self, state: _State) -> str:
        body = base64.urlsafe_b64encode(encode(state)).decode()
        return f"{OURS}{body}.{self._seal(body)}"

    def _opened(self, text: str) -> _State | None:
        body, _, seal = text.removeprefix(OURS).partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(body).encode()):
            return None
        try:
            return msgspec.json.decode(base64.urlsafe_b64decode(body), type=_State)
        except (binascii.Error, msgspec.MsgspecError):
            return None

    def _seal(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()
