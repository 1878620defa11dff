"""The ways into a hub, all alike: `await call("account.create", email="x")`."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import httpx2
from click.testing import CliRunner, Result
from msgspec import Raw

from hubbub.app import House
from hubbub.calls.model import Ask
from hubbub.interfaces.cli import root
from hubbub.interfaces.errors import error_body
from hubbub.kernel.errors import HubError, Unauthenticated, from_wire, meaning
from hubbub.protocol.codec import encode
from tests.support.peer import PATIENCE_S, Closed, Peer, connected, read_json


class Call(ABC):
    """Somebody who calls a hub, with a key, through a door."""

    def __init__(self, house: House, url: str, key: str | None) -> None:
        self.house = house
        self.url = url
        self.key = key

    async def __call__(self, operation: str, /, **input: object) -> Any:
        """The data of the answer.

        Raises:
            HubError: if there is none.
        """
        return (await self.envelope(operation, input))["data"]

    def through(self, key: str | None) -> "Call":
        """The same door with another key."""
        return type(self)(self.house, self.url, key)

    @abstractmethod
    async def envelope(self, operation: str, input: object) -> Any:
        """The answer as it came."""

    @abstractmethod
    def answers(self, operation: str, /, **input: object) -> AsyncGenerator[Any]:
        """The data of each answer of a subscription; closing it is to leave."""

    async def close(self) -> None:  # noqa: B027  # not every door has to be closed
        """Leave."""


class Direct(Call):
    """Inside the process."""

    async def envelope(self, operation: str, input: object) -> Any:
        try:
            async with (
                asyncio.timeout(PATIENCE_S),
                aclosing(self._raw(operation, input)) as answers,
            ):
                async for answer in answers:
                    return read_json(bytes(answer))
        except HubError as error:
            # With details as they are behind every other door.
            raise _error(read_json(encode(error_body(error)))["error"]) from error

    async def answers(self, operation: str, /, **input: object) -> AsyncGenerator[Any]:
        async with aclosing(self._raw(operation, input)) as answers:
            async for answer in answers:
                yield read_json(bytes(answer))["data"]

    async def _raw(self, operation: str, input: object) -> AsyncGenerator[Raw]:
        caller = await self.house.door.enter(self.key, "127.0.0.1")
        assert caller.account_id
        ask = Ask(operation_id=operation, input=Raw(encode(input)))
        async with self.house.calls.opened(ask, caller) as (_, answers):
            async for answer in answers:
                assert isinstance(answer, Raw)
                yield answer


class Http(Call):
    """`POST /v1/{namespace}/{name}`."""

    def __init__(self, house: House, url: str, key: str | None) -> None:
        super().__init__(house, url, key)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.client = httpx2.AsyncClient(
            base_url=url, headers=headers, timeout=PATIENCE_S, verify=False
        )

    async def envelope(self, operation: str, input: object) -> Any:
        response = await self.client.post(_path(operation), json=input)
        body = read_json(response.content)
        if "error" in body:
            raise _error(body["error"])
        return body

    async def answers(self, operation: str, /, **input: object) -> AsyncGenerator[Any]:
        async with aclosing(self.events(operation, input)) as events:
            async for kind, data in events:
                if kind == "answer":
                    yield data["data"]
                elif kind == "error":
                    raise _error(data)

    async def events(
        self, operation: str, input: object, **headers: str
    ) -> AsyncGenerator[tuple[str, Any]]:
        """Server-sent events, each a kind and its data."""
        async with self.client.stream(
            "POST", _path(operation), json=input, headers=headers
        ) as response:
            if response.status_code != 200:
                raise _error(read_json(await response.aread())["error"])
            kind = ""
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield kind, read_json(value)

    async def close(self) -> None:
        await self.client.aclose()


class WebSocket(Call):
    """Frames over a connection, which is opened when it is needed."""

    def __init__(self, house: House, url: str, key: str | None) -> None:
        super().__init__(house, url, key)
        self._stack = AsyncExitStack()
        self._peer: Peer | None = None

    async def envelope(self, operation: str, input: object) -> Any:
        try:
            return await (await self.peer()).envelope(operation, input)
        except Closed as closed:
            raise _refusal(closed) from closed

    async def answers(self, operation: str, /, **input: object) -> AsyncGenerator[Any]:
        try:
            async with aclosing((await self.peer()).answers(operation, input)) as answers:
                async for data in answers:
                    yield data
        except Closed as closed:
            raise _refusal(closed) from closed

    async def peer(self) -> Peer:
        """The connection, or a new one where it has ended."""
        if self._peer is None or not self._peer.open:
            self._peer = await self._stack.enter_async_context(connected(self.url, self.key))
        return self._peer

    async def close(self) -> None:
        await self._stack.aclose()


class Cli(Call):
    """`hubbub call`, in a thread, because it runs a loop of its own."""

    _running = Lock()

    async def envelope(self, operation: str, input: object) -> Any:
        # The command line shows what was answered, and leaves off the envelope.
        return {"data": read_json(await self._printed(operation, input) or "null")}

    async def answers(self, operation: str, /, **input: object) -> AsyncGenerator[Any]:
        for line in (await self._printed(operation, input)).splitlines():
            yield read_json(line)

    async def _printed(self, operation: str, input: object) -> str:
        words = ["call", operation, "--input", json.dumps(input), "--json", "--url", self.url]
        async with asyncio.timeout(PATIENCE_S):
            result = await asyncio.to_thread(self._run, words)
        if result.exit_code == 0:
            return result.stdout
        error = _error(read_json(result.stderr)["error"])
        assert result.exit_code == meaning(error.name).exit
        raise error

    def _run(self, words: list[str]) -> Result:
        # The runner takes the place of standard output, of which there is one.
        assert not self._running.locked(), "one command at a time"
        with self._running, TemporaryDirectory(prefix="hubbub-test-") as folder:
            key = Path(folder, "key")
            key.write_text(self.key or "")
            places = {"XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder}
            return CliRunner(env=places).invoke(root, [*words, "--key-file", str(key)])


DOORS: dict[str, type[Call]] = {
    "direct": Direct,
    "http": Http,
    "websocket": WebSocket,
    "cli": Cli,
}


def _path(operation: str) -> str:
    namespace, _, name = operation.rpartition(".")
    return f"/v1/{namespace}/{name}"


def _error(body: dict[str, Any]) -> HubError:
    return from_wire(body["code"], body["message"], body.get("details"))


def _refusal(closed: Closed) -> Exception:
    """What the code of a connection that was ended says."""
    name = closed.reason.partition(":")[0]
    if closed.code != 4001:
        return closed
    return Unauthenticated(closed.reason) if name == closed.reason else from_wire(name, "")
