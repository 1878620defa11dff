import asyncio
import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from hubbub.client import pair
from hubbub.devspoke import dev_spoke
from hubbub.kernel.errors import from_wire
from hubbub.protocol import codec, envelope, frames
from tests.client.peer import HELLO
from tests.support.bounds import bound


def pytest_collection_modifyitems(items):
    bound(items, Path(__file__).parent)


class Wire:
    """Calls the operations of a dev spoke, over a wire in memory."""

    def __init__(self, wire):
        self.wire = wire
        self.operations = {}

    async def send(self, frame):
        await self.wire.send(codec.encode(frame))

    async def receive(self):
        return codec.decode_call_frame(await self.wire.receive())

    async def greet(self):
        await self.send(frames.HubHello(payload=HELLO))
        requested = (await self.receive()).payload
        registration = msgspec.json.decode(requested.input)
        for each in registration["operations"]:
            self.operations[f"{each['namespace']}.{each['name']}"] = each
        await self.respond(requested.request_id, {"spokeId": "s", "epoch": 1, "operations": []})

    async def respond(self, request_id, data):
        output = msgspec.Raw(envelope.local("hub.register", data))
        payload = frames.Responded(request_id=request_id, output=output)
        await self.send(frames.CallResponded(payload=payload))

    async def request(self, operation, **input):
        payload = frames.Requested(
            request_id="call-1", operation_id=operation, input=msgspec.Raw(codec.encode(input))
        )
        await self.send(frames.CallRequested(payload=payload))

    async def answer(self):
        """The next answer; None at the end of a stream; raises what went wrong."""
        frame = await self.receive()
        match frame:
            case frames.CallResponded(payload=payload):
                return msgspec.json.decode(envelope.opened(payload.output).data)
            case frames.CallFailed(payload=payload):
                details = codec.details_of(payload.details)
                raise from_wire(payload.code, payload.message, details)
            case frames.CallCompleted() | frames.CallAbort():
                return None

    async def call(self, operation, **input):
        await self.request(operation, **input)
        return await self.answer()

    async def stream(self, operation, **input):
        await self.request(operation, **input)
        answers = []
        while (answer := await self.answer()) is not None:
            answers.append(answer)
        return answers

    async def abort(self):
        payload = frames.CallAborted(request_id="call-1", reason="cancelled_by_caller")
        await self.send(frames.CallAbort(payload=payload))


@pytest.fixture
def root(tmp_path):
    """The folder that is offered; what lies beside it is outside."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
async def connect(root):
    """Makes a dev spoke of `root`, and the hub's end of its wire."""
    serving = []

    async def connect(allow=()):
        spoke = dev_spoke(root, "laptop", allow)
        ours, theirs = pair()
        wire = Wire(ours)
        serving.append((asyncio.create_task(spoke.serve(theirs)), ours))
        await wire.greet()
        await spoke.ready()
        return wire

    yield connect
    for task, ours in serving:
        await ours.close()
        await task


@pytest.fixture
async def dev(connect):
    return await connect()


@pytest.fixture
def git(root):
    """Runs git in the root, as its owner; the root becomes a repository with one commit."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
    }

    def git(*arguments, folder=root):
        command = ["git", *arguments]
        done = subprocess.run(
            command, cwd=folder, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.org")
    (root / "readme.txt").write_text("first\n")
    git("add", ".")
    git("commit", "--quiet", "--message=Begin", "--date=2024-05-01T12:00:00+02:00")
    return git
