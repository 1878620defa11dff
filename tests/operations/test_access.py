"""Who may call what."""

import pytest

from hubbub.kernel.errors import AccessDenied
from hubbub.operations.access import Identity, allowed, check
from hubbub.protocol.specs import AccessControl

OPEN = AccessControl()
ALL = AccessControl(required_scopes=("a", "b"))
ANY = AccessControl(required_scopes_any=("a", "b"))
BOTH = AccessControl(required_scopes=("a",), required_scopes_any=("b", "c"))
OWNED = AccessControl(resource_type="project", resource_action="write")
SCOPED = AccessControl(required_scopes=("a",), resource_type="project", resource_action="write")


def who(*scopes, **resources):
    granted = {name.replace("_", ":"): actions for name, actions in resources.items()}
    return Identity(id="ada", scopes=frozenset(scopes), resources=granted)


@pytest.mark.parametrize(
    ("access", "identity", "expected"),
    [
        (OPEN, None, True),
        (OPEN, who(), True),
        (ALL, None, False),
        (ALL, who(), False),
        (ALL, who("a"), False),
        (ALL, who("a", "b"), True),
        (ALL, who("a", "b", "c"), True),
        (ANY, None, False),
        (ANY, who("c"), False),
        (ANY, who("b"), True),
        (BOTH, who("a"), False),
        (BOTH, who("b"), False),
        (BOTH, who("a", "c"), True),
        (OWNED, None, False),
        (OWNED, who(), False),
        (OWNED, who("write"), False),
        (OWNED, who(project_1=("read",)), False),
        (OWNED, who(project_1=("read", "write")), True),
        (OWNED, who(project_1=("read",), project_2=("write",)), True),
        (OWNED, who(projects_1=("write",)), False),
        (OWNED, who(project=("write",)), False),
        (SCOPED, who(project_1=("write",)), False),
        (SCOPED, who("a"), False),
        (SCOPED, who("a", project_1=("write",)), True),
        # Half a requirement is one that nobody meets.
        (AccessControl(resource_type="project"), None, False),
        (AccessControl(resource_type="project"), who(project_1=("write",)), False),
        (AccessControl(resource_action="write"), None, False),
        (AccessControl(resource_action="write"), who(project_1=("write",)), False),
    ],
)
def test_allowed(access, identity, expected):
    assert allowed(access, identity) == expected


def test_a_refusal_says_what_is_required():
    with pytest.raises(AccessDenied) as refused:
        check(ALL, who(), "dev.read")
    assert refused.value.details == {
        "operation": "dev.read",
        "required": {"requiredScopes": ("a", "b")},
    }
