"""An HTTP API behind the hub, from its document to an answer."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hubbub.kernel.errors import DomainError, HubError, NoProvider
from tests.support.hub import until
from tests.upstreams.openapi.api import document, operation, parameter, running
from tests.upstreams.openapi.test_operations import text
from tests.upstreams.test_mcp_servers import connected

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
        assert missing in (await connected(call, "pets", "failed"))["error"]
        with pytest.raises(NoProvider):
            await call("pets.getPet", id="7")
        await call("client.setSecret", client="pets", key=missing, value="wrong")
        await connected(call, "pets")
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
