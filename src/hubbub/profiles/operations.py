"""What callers may do with profiles."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType

from hubbub.identity.trail import note
from hubbub.kernel.errors import Conflict, NotFound
from hubbub.kernel.limits import PAGE_ITEMS
from hubbub.kernel.paging import Page, decode_cursor, page_of
from hubbub.operations.context import Reading, Writing
from hubbub.operations.inputs import Input, Limit
from hubbub.operations.operation import Errors, operation
from hubbub.profiles import store
from hubbub.profiles.model import Mode, Patterns, Profile, ProfileChanged, ProfileName

NO_PROFILE: Final[Errors] = {NotFound: "there is no such profile"}

Description = Annotated[str, msgspec.Meta(max_length=2000)]


class NewProfile(Input, frozen=True, kw_only=True):
    name: ProfileName
    description: Description = ""
    mode: Mode = "tools"
    servers: Patterns = ()
    groups: Patterns = ()
    tools: Patterns = ()
    pinned: Patterns = ()


class ProfileChange(Input, frozen=True, kw_only=True):
    """What is not named stays as it is."""

    name: str
    description: Description | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    servers: Patterns | UnsetType = UNSET
    groups: Patterns | UnsetType = UNSET
    tools: Patterns | UnsetType = UNSET
    pinned: Patterns | UnsetType = UNSET


class ProfileRef(Input, frozen=True, kw_only=True):
    name: str


class ProfileListing(Input, frozen=True, kw_only=True):
    limit: Limit = PAGE_ITEMS
    cursor: str | None = None


class ProfileOperations:
    """Chosen sets of tools, at `/mcp/profiles/{name}`."""

    namespace = "profile"

    @operation(scope="profiles:write", errors={Conflict: "the name is taken"})
    async def create(self, ctx: Writing, new: NewProfile) -> Profile:
        """Choose a set of tools, to be shown under a name."""
        if await store.named(ctx.tx, new.name) is not None:
            raise Conflict(f"there is a profile {new.name} already", profile=new.name)
        await store.add(ctx.tx, ctx.now, **msgspec.structs.asdict(new))
        await note(ctx, "profile.created", profile=new.name)
        return await _told(ctx, new.name)

    @operation(scope="profiles:read", errors=NO_PROFILE)
    async def get(self, ctx: Reading, ref: ProfileRef) -> Profile:
        """What a profile chooses."""
        return await store.get(ctx.tx, ref.name)

    @operation(scope="profiles:read")
    async def list(self, ctx: Reading, listing: ProfileListing) -> Page[Profile]:
        """All profiles, in the order of their names."""
        after = decode_cursor(listing.cursor, 1)[0] if listing.cursor else ""
        found = await store.page(ctx.tx, after, listing.limit + 1)
        return page_of(found, listing.limit, lambda profile: (profile.name,))

    @operation(scope="profiles:write", errors=NO_PROFILE)
    async def update(self, ctx: Writing, change: ProfileChange) -> Profile:
        """Change what a profile chooses. Whoever uses it now is told."""
        await store.get(ctx.tx, change.name)
        values = {
            key: value
            for key, value in msgspec.structs.asdict(change).items()
            if key != "name" and value is not UNSET
        }
        await store.change(ctx.tx, change.name, ctx.now, **values)
        await note(ctx, "profile.updated", profile=change.name, changed=sorted(values))
        return await _told(ctx, change.name)

    @operation(scope="profiles:write", errors=NO_PROFILE)
    async def remove(self, ctx: Writing, ref: ProfileRef) -> None:
        """Delete a profile. Its tools are not touched."""
        await store.get(ctx.tx, ref.name)
        await store.remove(ctx.tx, ref.name)
        await note(ctx, "profile.removed", profile=ref.name)
        ctx.tx.publish(ProfileChanged(name=ref.name, profile=None))


async def _told(ctx: Writing, name: str) -> Profile:
    profile = await store.get(ctx.tx, name)
    ctx.tx.publish(ProfileChanged(name=name, profile=profile))
    return profile
