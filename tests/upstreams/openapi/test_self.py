"""A hub is an HTTP API with a document of its own: one hub may stand behind another."""

import pytest

from hubbub.kernel.errors import DomainError, Invalid
from hubbub.upstreams.openapi.fetching import fetched
from tests.support.hub import in_one_task
from tests.upstreams.openapi.api import linked

pytestmark = pytest.mark.slow


@pytest.fixture
async def far(hub):
    text, _ = await fetched(f"{hub.url}/openapi.json", moves=False)
    headers = {"Authorization": f"Bearer {hub.key}"}
    async with in_one_task(linked(hub.url, text, headers=headers)) as far:
        yield far


async def test_every_operation_of_a_hub_can_be_imported(hub, far):
    names = {spec.meta["operationId"] for spec in far.made.specs}
    assert {op.spec.id for op in hub.house.operations} <= names
    assert far.made.warnings == ()
    assert far.made.config.headers == {"Authorization": "Bearer ${secret:KEY}"}


async def test_a_hub_is_called_as_any_api(far):
    made = await far("account_create", body={"email": "a@example.org"})
    assert made["data"]["email"] == "a@example.org"
    listed = await far("account_list_get", limit=1)
    assert len(listed["data"]["items"]) == 1
    with pytest.raises(DomainError) as refused:
        await far("spoke_get", body={"id": "nobody"})
    assert refused.value.name == "HTTP_404"
    assert refused.value.details["body"]["error"]["code"] == "NOT_FOUND"


async def test_what_does_not_fit_one_hub_does_not_reach_the_next(far):
    for name, input in (("account_list_get", {"limit": 0}), ("account_create", {"body": {}})):
        with pytest.raises(Invalid):
            await far(name, **input)


async def test_a_subscription_of_a_hub_is_one_through_another(hub, far):
    streams = {op.spec.id for op in hub.house.operations if op.spec.type == "subscription"}
    found = {
        spec.meta["operationId"].removesuffix(".get")
        for spec in far.made.specs
        if spec.type == "subscription"
    }
    assert found == streams
