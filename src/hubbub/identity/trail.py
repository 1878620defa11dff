"""The trail of what was done to accounts, keys, machines and definitions, and by whom."""

from hubbub.identity import store
from hubbub.operations.context import Writing


async def note(ctx: Writing, action: str, **details: object) -> None:
    """Write down what the caller does, in the transaction that does it."""
    await store.audit(
        ctx.tx,
        action,
        owner_id=ctx.caller.account_id,
        key_id=ctx.caller.key_id,
        details=details,
        now=ctx.now,
    )
