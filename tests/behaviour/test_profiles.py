"""Chosen sets of tools."""

import pytest

from hubbub.kernel.errors import AccessDenied, Conflict, Invalid, NotFound
from hubbub.profiles.model import chosen

pytestmark = pytest.mark.slow


async def test_a_profile_is_made_changed_and_removed(call):
    made = await call("profile.create", name="docs", servers=["git*"], description="Reading")
    assert (made["mode"], made["servers"], made["tools"]) == ("tools", ["git*"], [])
    changed = await call("profile.update", name="docs", tools=["!*delete*"], mode="search")
    assert changed["servers"] == ["git*"] and changed["tools"] == ["!*delete*"]
    assert await call("profile.get", name="docs") == changed
    assert [p["name"] for p in (await call("profile.list"))["items"]] == ["docs"]
    await call("profile.remove", name="docs")
    with pytest.raises(NotFound):
        await call("profile.get", name="docs")


async def test_a_name_is_given_once(call):
    await call("profile.create", name="docs")
    with pytest.raises(Conflict):
        await call("profile.create", name="docs")


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", "x" * 65])
async def test_a_name_can_be_the_end_of_an_address(call, name):
    with pytest.raises(Invalid):
        await call("profile.create", name=name)


async def test_who_may_read_profiles_may_not_change_them(call, caller_with):
    await call("profile.create", name="docs")
    reader = await caller_with("profiles:read")
    assert (await reader("profile.get", name="docs"))["name"] == "docs"
    with pytest.raises(AccessDenied):
        await reader("profile.remove", name="docs")


@pytest.mark.parametrize(
    ("patterns", "names", "is_chosen"),
    [
        ((), ("a",), True),
        (("a*",), ("abc",), True),
        (("a*",), ("b",), False),
        (("a", "b"), ("x", "b"), True),
        (("!a",), ("a",), False),
        (("!a",), ("b",), True),
        (("a*", "!ab"), ("ab",), False),
    ],
)
def test_patterns_choose(patterns, names, is_chosen):
    assert chosen(patterns, *names) is is_chosen
