"""Every table of the hub, on the one `metadata`.

A foreign key names its table by a string, so the tables of all domains must be
declared before any of them is used. Import `metadata` from here to have them all.
"""

from hubbub.calls import tables as calls
from hubbub.catalog import tables as catalog
from hubbub.conversations import tables as conversations
from hubbub.coordination import tables as coordination
from hubbub.identity import tables as identity
from hubbub.mcpservers import tables as mcpservers
from hubbub.orchestration import tables as orchestration
from hubbub.profiles import tables as profiles
from hubbub.projects import tables as projects
from hubbub.roles import tables as roles
from hubbub.search import tables as search
from hubbub.services import tables as services
from hubbub.spokes import tables as spokes
from hubbub.storage.schema import metadata
from hubbub.tasks import tables as tasks

__all__ = [
    "calls",
    "catalog",
    "conversations",
    "coordination",
    "identity",
    "mcpservers",
    "metadata",
    "orchestration",
    "profiles",
    "projects",
    "roles",
    "search",
    "services",
    "spokes",
    "tasks",
]
