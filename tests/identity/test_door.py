"""What the door remembers of those who came, and for how long."""

from datetime import timedelta

import pytest

from hubbub.app import open_database
from hubbub.identity import door as doors
from hubbub.identity import store
from hubbub.identity.door import FAILURES_MAX, FAILURES_WINDOW_S, REMEMBERED_S, TOUCH_EVERY, Door
from hubbub.identity.model import KeyChanged
from hubbub.identity.secrets import hash_of
from hubbub.kernel.clock import utc_now
from hubbub.kernel.errors import RateLimited, Unauthenticated
from hubbub.kernel.events import Bus

HERE = "127.0.0.1"


class Clock:
    """On the wall and on the wrist."""

    def __init__(self):
        self._began = utc_now()
        self._passed_s = 0.0

    def pass_s(self, seconds):
        self._passed_s += seconds

    def now(self):
        return self._began + timedelta(seconds=self._passed_s)

    def monotonic(self):
        return self._passed_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(doors, "time", clock)
    return clock


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
async def database(database_url, bus):
    database = await open_database(database_url, bus)
    yield database
    await database.close()


@pytest.fixture
def door(database, bus, clock):
    return Door(database, bus, clock.now)


@pytest.fixture
def made(database, clock):
    """Makes a key of an account of its own: `id = await made("secret", lives_s=5)`."""

    async def made(secret, lives_s=None):
        now = clock.now()

        async def work(tx):
            account = await store.add_account(
                tx,
                email=f"{secret}@example.org",
                display_name=None,
                access_level="user",
                status="active",
                now=now,
            )
            return await store.add_key(
                tx,
                owner_id=account,
                key_hash=hash_of(secret),
                prefix="",
                name=None,
                scopes=(),
                resources={},
                expires_at=None if lives_s is None else now + timedelta(seconds=lives_s),
                now=now,
            )

        return await database.write(work)

    return made


@pytest.fixture
def disabled(database, clock):
    """Disables a key as another node does it, of which this one hears nothing."""

    async def disabled(id):
        await database.write(lambda tx: store.change_key(tx, id, clock.now(), enabled=False))

    return disabled


@pytest.fixture
def used(database):
    """When a key was last used, as it is kept."""

    async def used(id):
        async with database.reading() as tx:
            return (await store.key(tx, id)).last_used_at

    return used


async def turned_away(door, times, address=HERE):
    for n in range(times):
        with pytest.raises(Unauthenticated):
            await door.enter(f"hub_{n}", address)


async def test_what_changes_elsewhere_is_felt_when_the_moment_is_over(door, clock, made, disabled):
    key = await made("ann")
    await door.enter("ann", HERE)
    await disabled(key)
    clock.pass_s(REMEMBERED_S - 0.1)
    await door.enter("ann", HERE)
    clock.pass_s(0.2)
    with pytest.raises(Unauthenticated):
        await door.enter("ann", HERE)


async def test_what_changes_here_is_felt_at_once_and_by_nobody_else(door, bus, made, disabled):
    keys = [await made(name) for name in ("ann", "bob")]
    ann, _ = [await door.enter(name, HERE) for name in ("ann", "bob")]
    for key in keys:
        await disabled(key)
    bus.publish([KeyChanged(account_id=ann.account_id, key_id=None)])
    with pytest.raises(Unauthenticated):
        await door.enter("ann", HERE)
    await door.enter("bob", HERE)


async def test_a_key_is_remembered_no_longer_than_it_lives(door, clock, made):
    await made("ann", lives_s=5)
    await door.enter("ann", HERE)
    clock.pass_s(5.1)
    with pytest.raises(Unauthenticated):
        await door.enter("ann", HERE)


async def test_of_too_many_keys_the_first_is_remembered_no_longer(
    door, made, disabled, monkeypatch
):
    monkeypatch.setattr(doors, "REMEMBERED_MAX", 1)
    keys = [await made(name) for name in ("ann", "bob")]
    for name in ("ann", "bob"):
        await door.enter(name, HERE)
    for key in keys:
        await disabled(key)
    await door.enter("bob", HERE)
    with pytest.raises(Unauthenticated):
        await door.enter("ann", HERE)


async def test_that_a_key_is_used_is_noted_once_a_minute(door, clock, made, used):
    key = await made("ann")
    await door.enter("ann", HERE)
    first = await used(key)
    clock.pass_s(TOUCH_EVERY.total_seconds())
    await door.enter("ann", HERE)
    assert await used(key) == first
    clock.pass_s(REMEMBERED_S + 1)
    await door.enter("ann", HERE)
    assert await used(key) == clock.now()


async def test_after_a_while_an_address_may_try_again(door, clock):
    await turned_away(door, FAILURES_MAX)
    clock.pass_s(FAILURES_WINDOW_S - 1)
    with pytest.raises(RateLimited) as refused:
        await door.enter("hub_x", HERE)
    assert refused.value.details == {"retryAfterMs": 1000}
    clock.pass_s(1)
    await turned_away(door, FAILURES_MAX)


async def test_of_too_many_addresses_the_one_that_was_quiet_for_longest_is_forgotten(
    door, monkeypatch
):
    monkeypatch.setattr(doors, "ADDRESSES_MAX", 2)
    await turned_away(door, FAILURES_MAX)
    await turned_away(door, 1, "10.0.0.1")
    with pytest.raises(RateLimited):
        await door.enter("hub_x", HERE)
    await turned_away(door, 1, "10.0.0.2")
    await turned_away(door, 1)
