"""MCP servers behind the hub, called as operations."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from hubbub.calls.model import Ask
from hubbub.kernel.clock import epoch_ms
from hubbub.kernel.errors import DomainError, ExecutionFailed, HubError, NoProvider, TooLarge
from tests.support.hub import until

pytestmark = pytest.mark.slow

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
        await echo("echo.big", n=50_000_000)
    assert await echo("echo.echo", text="still here") == {"said": "still here"}


async def test_a_server_that_dies_in_a_call_is_started_again_and_the_call_is_not(echo):
    with pytest.raises(ExecutionFailed) as caught:
        await echo("echo.die")
    assert caught.value.details["reason"] == "callee_left"
    assert await echo("echo.echo", text="again") == {"said": "again"}


async def test_what_a_server_has_anew_is_offered(echo):
    await echo("echo.grow")
    assert await until(lambda: _tried(echo, "echo.grown13"), lambda found: found is not None)


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


async def add(call, name, *args, **more):
    await call("client.create", name=name, type="mcp-server", config=config(*args, **more))
    return await connected(call, name)


async def test_two_servers_may_have_tools_of_the_same_names(hub):
    call = hub.door()
    for name in ("one", "two"):
        await add(call, name, env={"NAME": name})
    assert [(await call(f"{name}.env", text="NAME"))[0]["text"] for name in ("one", "two")] == [
        "one",
        "two",
    ]


async def test_a_server_that_greets_late_delays_nobody(hub):
    call = hub.door()
    await call("client.create", name="late", type="mcp-server", config=config("slow", "60"))
    assert (await add(call, "echo"))["status"] == "connected"
    (late,) = (await call("client.status", id="late"))["items"]
    assert late["status"] == "connecting"


@pytest.mark.slow
async def test_one_that_answers_late_keeps_nobody_else_waiting(hub):
    call = hub.door()
    for name in ("slow", "quick"):
        await add(call, name)
    late = asyncio.create_task(call("slow.late", n=3))
    assert await call("quick.echo", text="here") == {"said": "here"}
    assert not late.done()
    assert (await late)[0]["text"] == "at last"


BOMB = {
    "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 10} for n in range(9)}
    | {"d9": {"type": "string"}},
    "$ref": "#/$defs/d0",
}


async def test_a_tool_that_cannot_be_offered_is_left_out_and_named(hub):
    tools = [
        {"name": "bomb", "inputSchema": BOMB},
        {"name": "odd", "inputSchema": {"type": 5}},
        {"name": "fine", "inputSchema": {"type": "object"}},
    ]
    call = hub.door()
    found = await add(call, "echo", env={"TOOLS": "\n".join(map(json.dumps, tools))})
    assert [each["name"] for each in found["skipped"]] == ["bomb", "odd"]
    with pytest.raises(DomainError):
        await call("echo.fine")


@pytest.mark.slow
async def test_ten_thousand_tools_of_one_server_are_offered(hub):
    call = hub.door()
    found = await add(call, "echo", env={"MANY": "9900", "PAGE": "1000"})
    assert found["tools"] > 9900
    with pytest.raises(DomainError):
        await call("echo.tool9899", text="x")


async def test_a_list_without_an_end_is_refused(hub):
    call = hub.door()
    await call(
        "client.create",
        name="endless",
        type="mcp-server",
        config=config(env={"MANY": "11000", "PAGE": "1000"}),
    )
    found = await connected(call, "endless", "failed")
    assert "does not end" in found["error"]


async def test_each_account_has_a_session_of_its_own_unless_one_is_shared(hub):
    call = hub.door()
    other = call.through(await hub.key_with("calls:read"))
    hub.following(other)
    for name, session in (("own", "account"), ("shared", "shared")):
        await add(call, name, session=session)
    pids = {
        (name, who): (await each(f"{name}.child"))[0]["text"] and (await status(call, name))
        for name in ("own", "shared")
        for who, each in (("owner", call), ("other", other))
    }
    assert pids == {
        ("own", "owner"): 1,
        ("own", "other"): 2,
        ("shared", "owner"): 1,
        ("shared", "other"): 1,
    }


async def status(call, name):
    (found,) = (await call("client.status", id=name))["items"]
    return found["sessions"]


async def test_who_may_not_use_a_client_does_not_know_its_tools(hub):
    call = hub.door()
    await add(call, "echo", access={"requiredScopes": ["secret:stuff"]})
    other = hub.following(call.through(await hub.key_with("calls:read")))
    with pytest.raises(HubError) as caught:
        await other("echo.echo", text="x")
    assert caught.value.name in ("ACCESS_DENIED", "OPERATION_NOT_FOUND")


async def test_a_call_that_is_given_up_is_cancelled_there(echo, hub):
    with pytest.raises(HubError):
        async with asyncio.timeout(30):
            caller = await hub.house.door.enter(hub.key, "127.0.0.1")
            ask = Ask(operation_id="echo.wait", deadline_ms=epoch_ms() + 200)
            async with hub.house.calls.opened(ask, caller) as (_, answers):
                async for _ in answers:
                    pass

    async def logged():
        return [line["text"] for line in (await echo("client.logs", id="echo"))["lines"]]

    await until(logged, lambda lines: any(line.startswith("cancelled") for line in lines))
