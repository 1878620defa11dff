"""MCP servers behind the hub, called as operations."""

import os
import sys
from pathlib import Path

import pytest

from hubbub.kernel.errors import DomainError, ExecutionFailed, HubError, NoProvider, TooLarge
from tests.support.hub import until

ECHO = str(Path(__file__).parent.parent / "support" / "echo.py")


def config(*args, **more):
    return {"transport": "stdio", "command": sys.executable, "args": [ECHO, *args], **more}


async def connected(call, name, status="connected"):
    async def standing():
        (found,) = (await call("client.status", id=name))["items"]
        return found

    return await until(standing, lambda found: found["status"] == status)


@pytest.fixture(params=["legacy", "modern"])
async def echo(hub, request):
    """A caller, and a server of either era that it has added under the name `echo`."""
    call = hub.door()
    await call("client.create", name="echo", type="mcp-server", config=config(request.param))
    assert (await connected(call, "echo"))["era"] == request.param
    return call


async def test_a_tool_is_an_operation(echo):
    envelope = await echo.envelope("echo.echo", {"text": "hello"})
    assert envelope["data"] == {"said": "hello"}
    assert envelope["meta"]["source"] == "mcp"
    assert envelope["meta"]["content"] == [{"type": "text", "text": "hello"}]
    assert envelope["meta"]["isError"] is False


async def test_a_name_that_no_operation_can_have_is_made_fit(echo):
    assert await echo("echo.add_numbers", n=1) == [{"type": "text", "text": "2"}]


async def test_an_error_of_the_server_comes_as_it_was(echo):
    with pytest.raises(DomainError) as caught:
        await echo("echo.fail")
    assert caught.value.name == "MCP_ERROR"
    assert caught.value.details["rpc"] == {"code": -32602, "message": "no tool fail"}


async def test_who_cannot_be_asked_has_cancelled(echo):
    answer = await echo("echo.ask")
    assert answer is None or answer[0]["text"].startswith("cancel")


async def test_too_large_an_answer_is_refused_and_the_server_goes_on(echo):
    with pytest.raises(TooLarge):
        await echo("echo.big", n=20_000_000)
    assert await echo("echo.echo", text="still here") == {"said": "still here"}


async def test_a_server_that_dies_in_a_call_is_started_again_and_the_call_is_not(echo):
    with pytest.raises(ExecutionFailed) as caught:
        await echo("echo.die")
    assert caught.value.details["reason"] == "callee_left"
    assert await echo("echo.echo", text="again") == {"said": "again"}


async def test_what_a_server_has_anew_is_offered(echo):
    await echo("echo.grow")
    assert await until(lambda: _tried(echo, "echo.grown12"), lambda found: found is not None)


async def _tried(call, operation):
    try:
        await call(operation)
    except DomainError:
        return "offered"
    except HubError:
        return None


async def test_what_is_removed_is_gone_with_all_its_processes(hub):
    call = hub.door()
    await call("client.create", name="echo", type="mcp-server", config=config())
    await connected(call, "echo")
    pid = int((await call("echo.child"))[0]["text"])
    await call("client.remove", client="echo")
    await until(lambda: _alive(pid), lambda alive: not alive)
    with pytest.raises(NoProvider):
        await call("echo.echo", text="x")


async def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_server_that_cannot_be_run_says_why_and_disturbs_nobody(hub):
    call = hub.door()
    await call(
        "client.create",
        name="none",
        type="mcp-server",
        config={"transport": "stdio", "command": "/nowhere/none"},
    )
    found = await connected(call, "none", "failed")
    assert "/nowhere/none" in found["error"]
    checked = await call("client.check", id="none")
    assert (checked["ready"], checked["transient"]) == (False, True)


async def test_a_secret_reaches_its_server_and_no_log(hub):
    call = hub.door()
    await call(
        "client.create",
        name="echo",
        type="mcp-server",
        config=config(env={"API_TOKEN": "${secret:TOKEN}"}),
        secrets={"TOKEN": "sesame-open"},
    )
    await connected(call, "echo")
    assert (await call("echo.env", text="API_TOKEN"))[0]["text"] == "sesame-open"
