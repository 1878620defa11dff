"""A disk on which there is no room, and then is again."""

import resource

import httpx2
import pytest

pytestmark = pytest.mark.slow


async def test_a_hub_that_cannot_write_says_so_and_serves_those_who_read(start):
    hub = start()
    headers = {"Authorization": f"Bearer {hub.key}"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers, timeout=20) as http:

        async def database():
            """The status of the page, and whether the database is the part that is not ready."""
            answer = await http.get("/ready")
            return answer.status_code, answer.json()["parts"]["database"]["ready"]

        assert await database() == (200, True)
        unlimited = resource.prlimit(hub.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(hub.pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
        new = {"email": "ann@example.org"}
        assert (await http.post("/v1/account/create", json=new)).status_code == 500
        assert await database() == (503, False)
        # It is the first time that this key is used, which cannot be noted.
        assert (await http.get("/v1/account/list")).status_code == 200
        resource.prlimit(hub.pid, resource.RLIMIT_FSIZE, unlimited)
        assert await database() == (200, True)
        assert (await http.post("/v1/account/create", json=new)).status_code == 200
