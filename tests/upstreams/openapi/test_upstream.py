"""An HTTP API behind a hub: offered while somebody listens there."""

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hubbub.catalog.tables import operation_registrations
from hubbub.kernel.errors import AccessDenied, DomainError, HubError, NoProvider, Unavailable
from tests.support.hub import until
from tests.upstreams.openapi.api import SMALL, Api, document, operation, parameter, running

pytestmark = pytest.mark.slow


def text(document) -> str:
    return msgspec.json.encode(document).decode()


KEYED = {
    **SMALL,
    "components": {
        **SMALL["components"],
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
    },
    "security": [{"key": []}],
}


async def standing(call, status, name="small"):
    found = await until(
        lambda: call("client.status", id=name),
        lambda page: page["items"][0]["status"] == status,
    )
    return found["items"][0]


async def offered(hub):
    rows = await hub.rows(operation_registrations)
    return {(row["provider_type"], row["status"]) for row in rows}


async def test_an_api_is_imported_and_called_through_every_door(hub, call):
    async with running(Api().app) as url:
        made = await call(
            "openapi.import",
            name="small",
            text=text(KEYED),
            baseUrl=url,
            secrets={"KEY": "s3cret"},
        )
        assert made["missing"] == []
        found = await standing(call, "connected")
        assert found["tools"] == made["count"]
        seen = await call("small.echo", id="a/b", q=["x"])
        assert (seen["path"], seen["query"]) == ("/echo/a%2Fb", "q=x")
        assert seen["headers"]["authorization"] == "Bearer s3cret"
        assert await offered(hub) == {("client", "active")}
        with pytest.raises(DomainError) as refused:
            await call("small.fail", code=404)
        assert (refused.value.name, refused.value.details["body"]) == (
            "HTTP_404",
            {"why": "because"},
        )


async def test_an_api_that_is_gone_is_offered_no_more_until_it_is_back(hub):
    call, api = hub.door(), Api()
    async with running(api.app) as url:
        await call("openapi.import", name="small", text=text(SMALL), baseUrl=url)
        await standing(call, "connected")
    with pytest.raises((Unavailable, NoProvider)):
        await call("small.echo", id="a")
    found = await standing(call, "failed")
    assert "cannot be reached" in found["error"]
    await until(lambda: offered(hub), lambda found: found == {("client", "inactive")})
    with pytest.raises(NoProvider):
        await call("small.echo", id="a")
    async with running(api.app, port=int(url.rpartition(":")[2])):
        await standing(call, "connected")
        assert (await call("small.echo", id="a"))["path"] == "/echo/a"


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://a b", "http://.invalid/"])
async def test_an_address_that_leads_nowhere_is_told(hub, url):
    call = hub.door()
    config = {"baseUrl": url}
    await call("openapi.import", name="small", text=text(SMALL), config=config)
    assert (await standing(call, "failed"))["error"]


async def test_after_a_restart_no_document_is_needed(serve):
    async with running(Api().app) as url:
        async with serve() as hub:
            await hub.door()("openapi.import", name="small", text=text(SMALL), baseUrl=url)
            await standing(hub.door(), "connected")
        async with serve() as hub:
            await standing(hub.door(), "connected")
            assert (await hub.door()("small.echo", id="a"))["method"] == "GET"


async def test_an_import_again_is_offered_at_once(hub):
    call = hub.door()
    async with running(Api().app) as url:
        await call("openapi.import", name="small", text=text(SMALL), baseUrl=url)
        await standing(call, "connected")
        newer = document({"/text": {"get": operation("newer")}})
        made = await call("openapi.import", name="small", text=text(newer))
        assert made["client"]["config"]["baseUrl"] == url
        await until(lambda: standing(call, "connected"), lambda found: found["tools"] == 1)
        assert await call("small.newer") == "grün"


async def test_an_api_may_be_for_some_only(hub):
    call = hub.door()
    config = {"access": {"requiredScopes": ["small:use"]}}
    async with running(Api().app) as url:
        await call("openapi.import", name="small", text=text(SMALL), baseUrl=url, config=config)
        await standing(call, "connected")
        stranger = hub.door(key=await hub.key_with("calls:read"))
        with pytest.raises((AccessDenied, NoProvider)):
            await stranger("small.echo", id="a")
        friend = hub.door(key=await hub.key_with("small:use"))
        assert (await friend("small.echo", id="a"))["path"] == "/echo/a"
        assert await _seen(stranger) == []
        config = {"baseUrl": url, "access": {"requiredScopes": ["calls:read"]}}
        await call("client.update", client="small", config=config)
        assert await until(lambda: _seen(stranger), lambda found: found)
        assert await _seen(friend) == []


async def _seen(call):
    return (await call("operation.list", namespace="small"))["items"]


KEYS = {"key": {"type": "http", "scheme": "bearer"}}
PETS = document(
    {"/pets/{id}": {"get": operation("getPet", parameter("id", "path"))}},
    components={"securitySchemes": KEYS},
    security=[{"key": []}],
)


async def pet(request: Request) -> JSONResponse:
    if request.headers.get("authorization") != "Bearer sesame":
        return JSONResponse({"error": "who are you"}, 401)
    return JSONResponse({"id": request.path_params["id"]})


APP = Starlette(routes=[Route("/pets/{id}", pet)])


async def test_what_was_imported_can_be_called_while_the_api_is_there(hub):
    call = hub.door()
    async with running(APP) as url:
        made = await call("openapi.import", name="pets", text=text(PETS), baseUrl=url)
        (missing,) = [secret["name"] for secret in made["missing"]]
        assert missing in (await standing(call, "failed", "pets"))["error"]
        with pytest.raises(NoProvider):
            await call("pets.getPet", id="7")
        await call("client.setSecret", client="pets", key=missing, value="wrong")
        await standing(call, "connected", "pets")
        with pytest.raises(DomainError) as caught:
            await call("pets.getPet", id="7")
        assert caught.value.name == "HTTP_401"
        await call("client.setSecret", client="pets", key=missing, value="sesame")
        assert await until(lambda: _asked(call), lambda found: found == {"id": "7"})


async def _asked(call):
    try:
        return await call("pets.getPet", id="7")
    except HubError:
        return None
