"""Who may see a client, and who may change it.

Seen by its owner and the members of its organization; changed by its owner and by who administers
the organization. Whoever is in charge of accounts may do both with any.
"""

from typing import Final

from hubbub.kernel.errors import AccessDenied, NotFound
from hubbub.operations.context import Caller
from hubbub.services import store
from hubbub.services.model import Client
from hubbub.storage.transaction import Transaction

ADMINISTERING: Final = frozenset({"owner", "admin"})


def seer(caller: Caller) -> str | None:
    """Whose clients the caller may see: None for everybody's."""
    in_charge = caller.has("accounts:read") or caller.has("accounts:write")
    return None if in_charge else caller.account_id


async def seen(tx: Transaction, caller: Caller, id_or_name: str) -> Client:
    """A client that the caller may see.

    Raises:
        NotFound: if there is none, as far as the caller may know.
    """
    client = await store.find(tx, id_or_name)
    account_id = seer(caller)
    if account_id in (None, client.owner_id):
        return client
    if client.org_id and await store.level(tx, client.org_id, caller.account_id):
        return client
    raise NotFound(f"no client {id_or_name}", client=id_or_name)


async def changeable(tx: Transaction, caller: Caller, id_or_name: str) -> Client:
    """A client that the caller may change.

    Raises:
        NotFound: if there is none, as far as the caller may know.
        AccessDenied: if it may be seen only.
    """
    client = await seen(tx, caller, id_or_name)
    if client.owner_id == caller.account_id or caller.has("accounts:write"):
        return client
    if client.org_id and await _administers(tx, caller, client.org_id):
        return client
    raise AccessDenied("the client is somebody else's", client=client.id)


async def check_organization(tx: Transaction, caller: Caller, org_id: str) -> None:
    """See that the caller may give a client to an organization.

    Raises:
        NotFound: if there is none, as far as the caller may know.
        AccessDenied: if the caller does not administer it.
    """
    level = await store.level(tx, org_id, caller.account_id)
    if level in ADMINISTERING or caller.has("accounts:write"):
        return
    if level is None:
        raise NotFound(f"no organization {org_id}", organization=org_id)
    raise AccessDenied("only who administers an organization gives it clients", organization=org_id)


async def _administers(tx: Transaction, caller: Caller, org_id: str) -> bool:
    return await store.level(tx, org_id, caller.account_id) in ADMINISTERING
