"""Why an operation cannot be called: nobody offers it now, or there is none."""

from hubbub.catalog import store
from hubbub.catalog.operations import visible
from hubbub.kernel.errors import HubError, NoProvider, OperationNotFound
from hubbub.operations.context import Caller
from hubbub.storage.database import Database

SAME_NAME_MAX = 100


class Explained:
    """What the catalogue says of operations that nobody offers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, error: HubError, operation_id: str, caller: Caller) -> HubError:
        async with self._database.reading() as tx:
            found = await store.by_ids(tx, [operation_id])
            if not found:
                found = await store.by_own_name(tx, operation_id, SAME_NAME_MAX)
        if any(visible(stored, caller) for stored in found):
            return NoProvider(error.message, **error.details)
        return OperationNotFound(f"no operation {operation_id}", operation=operation_id)
