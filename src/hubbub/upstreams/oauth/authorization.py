"""What the hub shows to one server to be let in: got, renewed before it expires, and given up."""

import asyncio
import importlib
import logging
import time
from functools import partial
from typing import Any, Final

import anyio
import msgspec
from anyio.abc import TaskGroup

from hubbub.kernel.errors import ExecutionFailed, HubError, Invalid, Unavailable
from hubbub.services.model import Client, McpServer
from hubbub.upstreams.oauth.challenge import ANY, Challenge, NeedsAuthorization
from hubbub.upstreams.oauth.grant import Grant, purpose
from hubbub.upstreams.oauth.grants import Grants
from hubbub.upstreams.oauth.visit import Visit

log = logging.getLogger(__name__)

RENEWAL_S: Final = 60.0
AGAIN_S: Final = 10.0
"""A token that could not be renewed, and has not expired yet, is shown for so long meanwhile."""


class Authorization:
    """Of the hub, at one server, for all who use that server through it."""

    def __init__(self, client: Client, config: McpServer, grants: Grants, tasks: TaskGroup) -> None:
        self.config = config
        self.lacking: Challenge | None = None
        """What the server wanted last that somebody has to agree to first."""
        self._client = client
        self._grants = grants
        self._tasks = tasks
        self._grant: Grant | None = None
        self._reading = asyncio.Lock()
        self._renewal: asyncio.Future[None] | None = None
        self._not_before = 0.0

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must stand in no log."""
        return () if self._grant is None else self._grant.secrets

    @property
    def _by_itself(self) -> bool:
        """Whether no person is needed."""
        oauth = self.config.oauth
        return oauth is not None and oauth.grant == "client-credentials"

    def changed(self) -> None:
        """What is kept is not what it was."""
        self._grant = self.lacking = None

    async def token(self) -> str | None:
        """What to show now, if anything.

        Raises:
            NeedsAuthorization: what there was has expired.
            HubError: it has, and another one cannot be got now.
        """
        tokens = (await self._held()).tokens
        if tokens is None:
            return None
        now = time.time()
        renewable = self._by_itself or tokens.refresh is not None
        if renewable and tokens.due(now) and now >= self._not_before:
            try:
                await self._renewed(ANY)
            except HubError:
                if tokens.expired(time.time()):
                    raise
                self._not_before = now + AGAIN_S
            tokens = (await self._held()).tokens
        return None if tokens is None else tokens.access

    async def challenged(self, challenge: Challenge, shown: str | None, *, last: bool) -> None:
        """The server was shown this, and wants another token. There is one to try, afterwards.

        Args:
            last: whether this is not to be gone through again.

        Raises:
            NeedsAuthorization: somebody has to agree first.
            HubError: there is none now.
        """
        if not last:
            current = await self.token()
            if current is not None and current != shown:
                return  # another request was faster
            if self._by_itself or (shown is not None and not challenge.more):
                await self._renewed(challenge)
                return
        granted = (await self._held()).tokens
        enough = challenge.more and granted is not None and granted.allows(challenge.scope)
        if enough or self._by_itself:
            raise Unavailable(
                f"{self._client.name} refuses what the hub is authorized for",
                server=self._client.name,
                scope=challenge.scope,
            )
        raise self._needed(challenge)

    def let_in(self) -> None:
        """The server has taken what it was shown."""
        if self.lacking is not None and not self.lacking.more:
            self.lacking = None

    async def authorize(self, visit: Visit, by: str) -> None:
        """Have a person agree, for the account that asks for it.

        Raises:
            HubError: names what stands in the way.
        """
        flow = await self._flow()
        challenge = self.lacking or ANY
        keep = partial(self._keep, by=by)
        try:
            await flow.authorized(self.config, await self._held(), challenge, visit, keep)
        except flow.Refused as error:
            raise self._refused(error) from error

    async def _held(self) -> Grant:
        if self._grant is not None:
            return self._grant
        async with self._reading:
            if self._grant is None:
                kept = None if self._by_itself else await self._grants.get(self._client.id)
                of = purpose(self.config)
                self._grant = kept if kept is not None and kept.of == of else Grant(of=of)
            return self._grant

    async def _renewed(self, challenge: Challenge) -> None:
        """Get another token, once for all who wait for one. It goes on if none of them waits any
        more: the old one may be worth nothing by now."""
        if self._renewal is None:
            self._renewal = asyncio.get_running_loop().create_future()
            self._tasks.start_soon(self._renew, self._renewal, challenge)
        await asyncio.shield(self._renewal)

    async def _renew(self, done: asyncio.Future[None], challenge: Challenge) -> None:
        error: HubError = ExecutionFailed("the hub failed")
        try:
            with anyio.fail_after(RENEWAL_S):
                await self._try(challenge)
            done.set_result(None)
        except HubError as found:
            error = found
        except TimeoutError:
            error = Unavailable(f"{self._client.name} could not be authorized in time")
        except Exception:
            log.exception("the authorization at %s could not be renewed", self._client.name)
        finally:
            self._renewal = None
            if not done.done():
                done.set_exception(error)
                done.exception()  # it may be that nobody waits any more

    async def _try(self, challenge: Challenge) -> None:
        flow, grant = await self._flow(), await self._held()
        try:
            await flow.renewed(self.config, grant, challenge, partial(self._keep, renewed=True))
        except flow.Refused as error:
            log.info("%s: %s", self._client.name, error.message)
            if self._by_itself:
                raise self._refused(error) from error
            # What is of no use is not shown again. Who the hub is registered as is.
            await self._keep(_without(await self._held()), renewed=True)
            raise self._needed(challenge) from error

    async def _keep(self, grant: Grant, *, renewed: bool = False, by: str | None = None) -> None:
        before, self._grant = self._grant, grant
        if grant.tokens is not None and (before is None or before.tokens != grant.tokens):
            self.lacking = None
        else:
            by = None  # nothing that anybody could use
        if self._by_itself:
            return
        if not await self._grants.keep(self._client.id, grant, renewed=renewed, by=by):
            self._grant = None

    async def _flow(self) -> Any:
        # It loads the SDK, which takes a while, and which only those have who asked for it.
        try:
            return await asyncio.to_thread(importlib.import_module, "hubbub.upstreams.oauth.flow")
        except ImportError as error:
            raise Invalid(
                "being authorized needs the extra `oauth`: pip install 'hubbub[oauth]'",
                errors=[{"field": "config.oauth", "expected": "nothing, without the extra"}],
            ) from error

    def _needed(self, challenge: Challenge) -> NeedsAuthorization:
        self.lacking = challenge
        return NeedsAuthorization(self._client.name, challenge)

    def _refused(self, error: HubError) -> Unavailable:
        why = f"{self._client.name} could not be authorized: {error.message}"
        return Unavailable(why, server=self._client.name)


def _without(grant: Grant) -> Grant:
    return msgspec.structs.replace(grant, tokens=None)
