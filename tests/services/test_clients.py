"""Clients through the doors: who may configure what, and what is refused."""

import pytest

from hubbub.kernel.errors import AccessDenied, Conflict, Invalid, NotFound
from hubbub.services.tables import client_secrets, clients

pytestmark = pytest.mark.slow

DIALLED = {"transport": "streamable-http", "url": "http://127.0.0.1:9/mcp"}
RUN = {"transport": "stdio", "command": "mcp-server-time"}
API = {"baseUrl": "http://127.0.0.1:9/v1"}


async def refused(call, operation="client.create", **input):
    """The fields that are refused, and what was expected there."""
    with pytest.raises(Invalid) as error:
        await call(operation, **input)
    return [(each["field"], each["expected"]) for each in error.value.details["errors"]]


async def test_a_client_is_as_it_was_configured(call):
    config = {**DIALLED, "headers": {"Authorization": "Bearer ${secret:TOKEN}"}}
    made = await call("client.create", name="weather", type="mcp-server", config=config)
    assert made == {
        **made,
        "name": "weather",
        "type": "mcp-server",
        "config": config,
        "enabled": True,
        "ownerId": (await call("account.me"))["id"],
        "orgId": None,
    }
    assert await call("client.get", client="weather") == made
    assert await call("client.get", client=made["id"]) == made


async def test_clients_are_listed_by_name_and_filtered(call):
    await call("client.create", name="time", type="mcp-server", config=RUN)
    await call("client.create", name="books", type="http-api", config=API, enabled=False)
    await call("client.create", name="forge", type="vcs", config={"anything": ["goes", 1]})

    async def names(**filters):
        return [each["name"] for each in (await call("client.list", **filters))["items"]]

    assert await names() == ["books", "forge", "time"]
    assert await names(type="mcp-server") == ["time"]
    assert await names(enabled=False) == ["books"]
    first = await call("client.list", limit=2)
    assert await names(limit=2, cursor=first["nextCursor"]) == ["time"]


async def test_a_client_is_switched_off_and_given_another_config_and_keeps_its_name(call):
    await call("client.create", name="time", type="mcp-server", config=RUN)
    off = await call("client.update", client="time", enabled=False)
    assert (off["enabled"], off["config"]) == (False, RUN)
    other = await call("client.update", client="time", config=DIALLED)
    assert (other["enabled"], other["config"]) == (False, DIALLED)
    with pytest.raises(Invalid):
        await call("client.update", client="time", name="clock")


async def test_a_client_that_is_removed_takes_its_secrets_along(call, hub):
    await call("client.create", name="time", type="mcp-server", config=RUN, secrets={"A": "1"})
    await call("client.remove", client="time")
    with pytest.raises(NotFound):
        await call("client.get", client="time")
    assert await hub.count(clients, client_secrets) == {"clients": 0, "client_secrets": 0}


async def test_two_clients_cannot_have_one_name(call):
    await call("client.create", name="time", type="mcp-server", config=RUN)
    with pytest.raises(Conflict):
        await call("client.create", name="time", type="http-api", config=API)


@pytest.mark.parametrize(
    "name",
    [
        "client", "account", "mcp", "system", "two words", "dotted.name", "1st", "",
        "b0f8a5a0-0000-4000-8000-000000000000", "x" * 65,
    ],
)  # fmt: skip
async def test_a_name_is_good_as_a_namespace_and_nobody_elses(hub, name):
    (field,) = await refused(hub.door(), name=name, type="mcp-server", config=RUN)
    assert field[0] == "name"


@pytest.mark.parametrize(
    "type, config, field",
    [
        ("mcp-server", {}, "config"),
        ("mcp-server", {"transport": "carrier-pigeon"}, "config.transport"),
        ("mcp-server", {"transport": "stdio"}, "config.command"),
        ("mcp-server", {**RUN, "url": "https://example.org"}, "config.url"),
        ("mcp-server", {**RUN, "headers": {"X-Team": "a"}}, "config.headers"),
        ("mcp-server", {"transport": "sse"}, "config.url"),
        ("mcp-server", {"transport": "sse", "url": "file:///etc/passwd"}, "config.url"),
        ("mcp-server", {"transport": "sse", "url": "http://[nowhere"}, "config.url"),
        ("mcp-server", {**DIALLED, "command": "sh"}, "config.command"),
        ("mcp-server", {**DIALLED, "pollS": -1}, "config.pollS"),
        ("mcp-server", {**DIALLED, "surprise": 1}, "config"),
        ("http-api", {}, "config"),
        ("http-api", {"baseUrl": "ftp://example.org"}, "config.baseUrl"),
        ("http-api", {**API, "headers": {"X": 1}}, "config.headers[...]"),
        ("custom", {"deep": [[[[[[[[[[[[[[[[["x"]]]]]]]]]]]]]]]]]}, "config.deep" + "[0]" * 16),
        ("custom", {"long": "x" * 70_000}, "config"),
    ],
)
async def test_a_config_that_does_not_fit_is_refused_by_its_field(hub, type, config, field):
    found = await refused(hub.door(), name="odd", type=type, config=config)
    assert [at for at, _ in found] == [field]


@pytest.mark.parametrize(
    "type, config, field",
    [
        ("http-api", {**API, "headers": {"authorization": "Bearer x"}}, "headers.authorization"),
        ("mcp-server", {**DIALLED, "headers": {"X-API-Key": "x"}}, "headers.X-API-Key"),
        ("mcp-server", {**DIALLED, "headers": {"Cookie": "a=b"}}, "headers.Cookie"),
        ("mcp-server", {**RUN, "env": {"GITHUB_TOKEN": "x"}}, "env.GITHUB_TOKEN"),
        ("mcp-server", {**RUN, "env": {"NOTION": "Bearer 0123456789abcdef"}}, "env.NOTION"),
        ("mcp-server", {**RUN, "args": ["--api-key", "x"]}, "args[1]"),
        ("mcp-server", {**RUN, "args": ["--password=x"]}, "args[0]"),
        ("mcp-server", {**DIALLED, "url": "https://u:p@example.org"}, "url"),
        ("mcp-server", {**DIALLED, "url": "https://example.org/?api_key=x"}, "url"),
        ("mcp-server", {**RUN, "env": {"X": "${secret:}"}}, "env.X"),
        ("http-api", {**API, "query": {"apikey": "x"}}, "query.apikey"),
        ("llm-provider", {"auth": {"apiKey": "x"}}, "auth.apiKey"),
        ("custom", {"note": "ghp_0123456789abcdef0123"}, "note"),
    ],
)  # fmt: skip
async def test_a_config_holds_no_secret_in_clear(hub, type, config, field):
    found = await refused(hub.door(), name="odd", type=type, config=config)
    assert [at for at, _ in found] == [f"config.{field}"]
    assert "${secret:NAME" in found[0][1]


@pytest.mark.parametrize(
    "config",
    [
        {**RUN, "env": {"API_KEY": "${secret:KEY}", "TOKEN_FILE": "/run/token", "MAX_TOKENS": "9"}},
        {
            **RUN,
            "env": {
                "KEYBOARD": "de",
                "TOKENIZERS_PARALLELISM": "false",
                "PASSWORD": "",
                "TITLE": "Basic arithmetic",
            },
        },
        {**RUN, "args": ["--api-key", "${secret:KEY}", "--token=${secret:KEY}", "--verbose", "x"]},
        {**DIALLED, "url": "https://${secret:HOST}/mcp?key=${secret:KEY}"},
        {**DIALLED, "url": "${secret:URL}"},
        {**DIALLED, "url": "https://u:${secret:KEY}@example.org"},
        {**DIALLED, "headers": {"Cookie": "session=${secret:S}; theme=dark"}},
    ],
)
async def test_references_and_what_only_sounds_like_a_secret_are_taken(hub, config):
    made = await hub.door()(
        "client.create", name="odd", type="mcp-server", config=config, enabled=False
    )
    assert made["config"] == config


async def test_secrets_are_listed_by_key_and_never_shown(call):
    await call("client.create", name="time", type="mcp-server", config=RUN, secrets={"B": "hush"})
    until = "2031-01-01T00:00:00Z"
    shown = await call("client.setSecret", client="time", key="A", value="hush", expiresAt=until)
    page = await call("client.listSecrets", client="time", limit=1)
    assert page["items"] == [shown] == [{**shown, "key": "A", "expiresAt": until}]
    page = await call("client.listSecrets", client="time", cursor=page["nextCursor"])
    assert [(each["key"], each["expiresAt"]) for each in page["items"]] == [("B", None)]
    assert "hush" not in str(page)
    await call("client.removeSecret", client="time", key="A")
    with pytest.raises(NotFound):
        await call("client.removeSecret", client="time", key="A")


async def test_a_client_has_so_many_secrets_and_no_more(hub):
    call = hub.door()
    many = {f"S{n}": "x" for n in range(65)}
    with pytest.raises(Conflict):
        await call("client.create", name="time", type="mcp-server", config=RUN, secrets=many)


async def test_what_is_done_with_clients_stands_in_the_trail(call):
    made = await call("client.create", name="time", type="mcp-server", config=RUN)
    await call("client.setSecret", client="time", key="A", value="hush")
    await call("client.update", client="time", enabled=False)
    await call("client.removeSecret", client="time", key="A")
    await call("client.remove", client="time")
    trail = (await call("audit.list", limit=5))["items"]
    assert [entry["action"] for entry in trail[::-1]] == [
        "client.created",
        "client.secretSet",
        "client.updated",
        "client.secretRemoved",
        "client.removed",
    ]
    assert {entry["details"]["client"] for entry in trail} == {made["id"]}
    assert "hush" not in str(trail)


async def test_nobody_touches_clients_without_the_scopes(call, caller_with):
    nobody = await caller_with("calls:read")
    await call("client.create", name="time", type="mcp-server", config=RUN)
    for operation, input in [
        ("client.list", {}),
        ("client.get", {"client": "time"}),
        ("client.listSecrets", {"client": "time"}),
        ("client.create", {"name": "mine", "type": "mcp-server", "config": RUN}),
        ("client.update", {"client": "time", "enabled": False}),
        ("client.setSecret", {"client": "time", "key": "A", "value": "x"}),
        ("client.removeSecret", {"client": "time", "key": "A"}),
        ("client.remove", {"client": "time"}),
    ]:
        with pytest.raises(AccessDenied):
            await nobody(operation, **input)


async def test_a_client_of_somebody_else_is_not_there(call, caller_with):
    mine = await caller_with("clients:read", "clients:write", email="mine@example.org")
    await mine("client.create", name="mine", type="mcp-server", config=RUN)
    other = await caller_with("clients:read", "clients:write", email="other@example.org")
    assert (await other("client.list"))["items"] == []
    for operation, input in [
        ("client.get", {}),
        ("client.listSecrets", {}),
        ("client.update", {"enabled": False}),
        ("client.setSecret", {"key": "A", "value": "x"}),
        ("client.removeSecret", {"key": "A"}),
        ("client.remove", {}),
    ]:
        with pytest.raises(NotFound):
            await other(operation, client="mine", **input)
    # Whoever is in charge of accounts may.
    assert [each["name"] for each in (await call("client.list"))["items"]] == ["mine"]
    assert (await call("client.update", client="mine", enabled=False))["enabled"] is False
