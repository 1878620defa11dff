"""Servers that let the hub in once somebody has agreed."""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl

from hubbub.calls.tables import call_graph_nodes
from hubbub.kernel.errors import AccessDenied, Conflict, Invalid, NotFound, Unavailable
from hubbub.services.tables import client_secrets
from hubbub.upstreams.oauth import authorizations
from tests.support.authority import guarded_server
from tests.support.hub import until
from tests.upstreams.test_mcp_servers import connected

pytestmark = pytest.mark.slow


@pytest.fixture(params=["modern"])
async def authority(request):
    async with guarded_server(request.param) as authority:
        yield authority


both_eras = pytest.mark.parametrize("authority", ["legacy", "modern"], indirect=True)
each_kind = pytest.mark.parametrize("authority", ["legacy", "modern", "sse"], indirect=True)


async def add(call, authority, **more):
    transport = "sse" if authority.server.endswith("/sse") else "streamable-http"
    secrets = more.pop("secrets", {})
    config = {"transport": transport, "url": authority.server, **more}
    await call("client.create", name="guarded", type="mcp-server", config=config, secrets=secrets)


async def standing(call):
    (found,) = (await call("client.status", id="guarded"))["items"]
    return found


async def agree(call, **more):
    """What a person does in a browser."""
    begun = await call("client.authorize", id="guarded", **more)
    async with httpx2.AsyncClient(follow_redirects=True) as browser:
        return await browser.get(begun["url"])


@pytest.fixture
async def let_in(hub, authority):
    """A caller, and a server under the name `guarded` that lets the hub in."""
    call = hub.door()
    await add(call, authority)
    await connected(call, "guarded", "failed")
    assert (await agree(call)).status_code == 200
    await connected(call, "guarded")
    return call


@each_kind
async def test_a_server_that_asks_for_it_is_used_once_somebody_has_agreed(hub, authority):
    call = hub.door()
    await add(call, authority)
    found = await connected(call, "guarded", "failed")
    assert (found["needsAuthorization"], found["error"]) == (True, "guarded needs authorization")
    page = await agree(call)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "Hubbub may use guarded now" in page.text
    found = await connected(call, "guarded")
    assert (found["needsAuthorization"], found["tools"]) == (False, 1)
    assert (await call("guarded.hello"))["result"] == "hello"


async def test_a_hub_that_starts_anew_asks_nobody_again(serve, authority):
    async with serve() as hub:
        call = hub.door()
        await add(call, authority)
        await connected(call, "guarded", "failed")
        await agree(call)
        await connected(call, "guarded")
    authority.expire()
    async with serve() as hub:
        await connected(hub.door(), "guarded")
    assert authority.renewals == 1


async def test_a_token_is_renewed_before_it_expires(hub, authority):
    authority.life_s = 0  # all of a life that has none is its end
    call = hub.door()
    await add(call, authority)
    await connected(call, "guarded", "failed")
    await agree(call)
    await connected(call, "guarded")
    authority.life_s = 3600
    await call("guarded.hello")
    await call("guarded.hello")
    assert authority.seen[0] == authority.seen[1]
    assert len(authority.refresh) == 1


@both_eras
async def test_a_token_that_is_refused_is_renewed_once_for_all_who_wait(let_in, authority):
    authority.expire()
    authority.busy.clear()
    calling = [asyncio.create_task(let_in("guarded.hello")) for _ in range(5)]
    # They are refused by now, or wait for those that are.
    await until(lambda: _asked(authority), lambda asked: asked)
    authority.busy.set()
    for each in calling:
        assert (await each)["result"] == "hello"
    assert (authority.renewals, len(set(authority.seen))) == (1, 1)


async def _asked(authority):
    return not authority.access


async def test_a_renewal_outlives_whoever_waits_for_it(hub, let_in, authority):
    authority.expire()
    authority.busy.clear()
    calling = asyncio.create_task(let_in("guarded.hello"))
    await until(lambda: _renewing(hub), lambda renewing: renewing)
    calling.cancel()
    authority.busy.set()
    assert (await let_in("guarded.hello"))["result"] == "hello"
    assert authority.renewals == 1


async def _renewing(hub):
    (known,) = hub.house.authorizations._known.values()
    return known._renewal is not None


async def test_an_authorization_server_that_is_down_takes_nothing_away(let_in, authority):
    authority.expire()
    authority.down = True
    with pytest.raises(Unavailable, match="answered 503"):
        await let_in("guarded.hello")
    authority.down = False
    assert (await let_in("guarded.hello"))["result"] == "hello"


@both_eras
async def test_who_is_not_let_in_any_more_is_told_so_and_may_be_again(let_in, authority):
    authority.revoke()
    with pytest.raises(Unavailable) as caught:
        await let_in("guarded.hello")
    assert caught.value.details == {
        "server": "guarded",
        "operation": "client.authorize",
        "scope": None,
    }
    found = await standing(let_in)
    assert (found["status"], found["needsAuthorization"]) == ("failed", True)
    await agree(let_in)
    await connected(let_in, "guarded")
    assert (await let_in("guarded.hello"))["result"] == "hello"
    assert len(authority.clients) == 1


@pytest.mark.parametrize("authority", ["legacy"], indirect=True)
async def test_a_session_that_is_bound_to_an_old_token_is_made_anew(let_in, authority):
    authority.bound = {}
    await let_in("guarded.hello")
    authority.expire()
    assert (await let_in("guarded.hello"))["result"] == "hello"
    assert (authority.renewals, len(authority.bound)) == (1, 2)
    assert not (await connected(let_in, "guarded"))["needsAuthorization"]


async def test_forgetting_the_secret_is_logging_out(let_in, authority):
    (secret,) = (await let_in("client.listSecrets", client="guarded"))["items"]
    await let_in("client.removeSecret", client="guarded", key=secret["key"])
    assert (await connected(let_in, "guarded", "failed"))["needsAuthorization"]


async def test_tokens_for_one_server_are_not_shown_to_another(let_in, authority):
    async with guarded_server() as other:
        config = {"transport": "streamable-http", "url": other.server}
        await let_in("client.update", client="guarded", config=config)
        assert (await connected(let_in, "guarded", "failed"))["needsAuthorization"]


async def test_no_token_is_told_or_logged_or_kept_in_clear(hub, let_in, authority, caplog):
    with caplog.at_level(logging.DEBUG):
        await let_in("guarded.hello")
        authority.expire()
        await let_in("guarded.hello")
        told = [
            await let_in("client.status", id="guarded"),
            await let_in("client.get", client="guarded"),
            await let_in("client.logs", id="guarded"),
            await let_in("client.listSecrets", client="guarded"),
            await let_in("audit.list"),
        ]
    await hub.written()
    rows = [await hub.rows(call_graph_nodes), await hub.rows(client_secrets)]
    everything = f"{told}{rows}{caplog.text}"
    assert len(authority.secrets) >= 3
    assert [secret for secret in authority.secrets if secret in everything] == []


async def test_a_state_is_good_once_and_for_nobody_else(hub, authority):
    call = hub.door()
    await add(call, authority)
    await connected(call, "guarded", "failed")
    begun = await call("client.authorize", id="guarded")
    async with httpx2.AsyncClient() as browser:
        back = (await browser.get(begun["url"])).headers["location"]
        made_up = await browser.get(f"{hub.url}/oauth/callback?code=x&state=y")
        first, second = await browser.get(back), await browser.get(back)
    assert (made_up.status_code, first.status_code, second.status_code) == (404, 200, 404)


async def test_whoever_refuses_is_told_so_and_no_more(hub, authority):
    call = hub.door()
    await add(call, authority)
    await connected(call, "guarded", "failed")
    begun = await call("client.authorize", id="guarded")
    (state,) = parse_qs(urlsplit(begun["url"]).query)["state"]
    async with httpx2.AsyncClient() as browser:
        page = await browser.get(
            f"{hub.url}/oauth/callback",
            params={"error": "access_denied", "error_description": "<b>no</b>", "state": state},
        )
    assert page.status_code == 503
    assert "access_denied &lt;b&gt;no&lt;/b&gt;" in page.text
    assert (await standing(call))["needsAuthorization"]


async def test_another_beginning_takes_the_place_of_the_first(hub, authority):
    call = hub.door()
    await add(call, authority)
    await connected(call, "guarded", "failed")
    first = await call("client.authorize", id="guarded")
    assert (await agree(call)).status_code == 200
    async with httpx2.AsyncClient(follow_redirects=True) as browser:
        assert (await browser.get(first["url"])).status_code == 404
    assert hub.house.authorizations._visits == {}


async def test_there_is_an_end_to_waiting_and_to_how_many_wait(hub, authority, monkeypatch):
    monkeypatch.setattr(authorizations, "VISIT_S", 0.05)
    call = hub.door()
    await add(call, authority)
    await connected(call, "guarded", "failed")
    begun = await call("client.authorize", id="guarded")
    assert datetime.fromisoformat(begun["expiresAt"]) > datetime.now(UTC)
    await until(lambda: _visits(hub), lambda visits: not visits)
    async with httpx2.AsyncClient(follow_redirects=True) as browser:
        assert (await browser.get(begun["url"])).status_code == 404
    monkeypatch.setattr(authorizations, "VISITS_MAX", 0)
    with pytest.raises(Exception, match="too many"):
        await call("client.authorize", id="guarded")


async def _visits(hub):
    return list(hub.house.authorizations._visits)


async def test_only_who_may_change_a_client_has_it_authorized(hub, authority):
    await add(hub.door(), authority)
    with pytest.raises(NotFound):
        await hub.door(key=await hub.key_with("clients:write"))("client.authorize", id="guarded")
    with pytest.raises(AccessDenied):
        await hub.door(key=await hub.key_with("clients:read"))("client.authorize", id="guarded")


async def test_a_person_is_sent_back_to_nobody_else(hub, authority):
    call = hub.door()
    await add(call, authority)
    for url in ("http://example.org/oauth/callback", "https://example.org/elsewhere", "x"):
        with pytest.raises(Invalid):
            await call("client.authorize", id="guarded", redirectUrl=url)
    begun = await call(
        "client.authorize", id="guarded", redirectUrl="https://hub.example.org/oauth/callback"
    )
    (sent_back_to,) = parse_qs(urlsplit(begun["url"]).query)["redirect_uri"]
    assert sent_back_to == "https://hub.example.org/oauth/callback"


async def test_who_shows_a_key_of_their_own_is_asked_for_no_other(hub, authority):
    call = hub.door()
    config = {
        "transport": "streamable-http",
        "url": authority.server,
        "headers": {"Authorization": "Bearer ${secret:KEY}"},
    }
    await call(
        "client.create", name="guarded", type="mcp-server", config=config, secrets={"KEY": "nope"}
    )
    found = await connected(call, "guarded", "failed")
    assert not found["needsAuthorization"]
    assert "401" in found["error"]
    with pytest.raises(Conflict):
        await call("client.authorize", id="guarded")


def registered(authority):
    """The hub, registered by hand."""
    authority.clients["hubbub"] = OAuthClientInformationFull(
        client_id="hubbub",
        client_secret="s3cret-of-the-hub",
        redirect_uris=["https://hub.example.org/oauth/callback"],
        token_endpoint_auth_method="client_secret_basic",
        scope="use",
    )
    return {"clientId": "hubbub", "clientSecret": "${secret:HUB}"}


async def test_a_hub_that_was_registered_by_hand_registers_no_more(hub, authority):
    call = hub.door()
    oauth = registered(authority) | {"issuer": authority.url}
    redirect_url = f"{hub.url}/oauth/callback"
    authority.clients["hubbub"].redirect_uris = [AnyUrl(redirect_url)]
    await add(call, authority, oauth=oauth, secrets={"HUB": "s3cret-of-the-hub"})
    await connected(call, "guarded", "failed")
    assert (await agree(call)).status_code == 200
    await connected(call, "guarded")
    authority.expire()
    assert (await call("guarded.hello"))["result"] == "hello"
    assert (authority.renewals, list(authority.clients)) == (1, ["hubbub"])


async def test_a_secret_is_shown_to_nobody_but_whom_it_is_for(hub, authority):
    call = hub.door()
    oauth = registered(authority) | {"issuer": "https://login.example.org"}
    await add(call, authority, oauth=oauth, secrets={"HUB": "s3cret-of-the-hub"})
    await connected(call, "guarded", "failed")
    with pytest.raises(Unavailable, match="another authorization server"):
        await call("client.authorize", id="guarded")
    assert (authority.codes, list(authority.clients)) == ({}, ["hubbub"])


async def test_that_somebody_had_it_authorized_is_in_the_trail(let_in):
    me = (await let_in("account.me"))["id"]
    trail = (await let_in("audit.list", ownerId=me))["items"]
    actions = [entry["action"] for entry in trail if entry["action"].startswith("client.")]
    assert actions[:2] == ["client.authorized", "client.authorizing"]


async def test_without_the_extra_it_says_which(hub, authority, monkeypatch):
    monkeypatch.setitem(sys.modules, "hubbub.upstreams.oauth.flow", None)
    await add(hub.door(), authority)
    await connected(hub.door(), "guarded", "failed")
    with pytest.raises(Invalid, match="needs the extra `oauth`"):
        await hub.door()("client.authorize", id="guarded")


async def test_what_is_the_hubs_own_is_neither_set_nor_referred_to(hub, authority):
    call = hub.door()
    await add(call, authority)
    with pytest.raises(Invalid):
        await call("client.setSecret", client="guarded", key="oauth.grant", value="x")
    config = {
        "transport": "streamable-http",
        "url": authority.server,
        "headers": {"X-Stolen": "${secret:oauth.grant}"},
    }
    with pytest.raises(Invalid):
        await call("client.update", client="guarded", config=config)


@pytest.mark.parametrize(
    ("oauth", "field"),
    [
        ({"clientSecret": "${secret:S}"}, "config.oauth.clientId"),
        ({"clientId": "me", "clientSecret": "${secret:S}"}, "config.oauth.issuer"),
        ({"grant": "client-credentials", "clientId": "me"}, "config.oauth.clientSecret"),
        ({"clientId": "me", "clientSecret": "in clear", "issuer": "https://a"}, None),
        ({"issuer": "not a URL"}, "config.oauth.issuer"),
    ],
)
async def test_a_config_that_cannot_be_is_refused(hub, authority, oauth, field):
    with pytest.raises(Invalid) as caught:
        await add(hub.door(), authority, oauth=oauth)
    assert field in (None, caught.value.details["errors"][0]["field"])
