"""The reference is what the code is: made anew it is the same, and nothing is left out of it."""

import subprocess
import sys

import msgspec
import pytest

from hubbub import client
from hubbub.identity.model import OWNER_SCOPES, SCOPES
from hubbub.interfaces.cli import SECTIONS
from hubbub.kernel.errors import BY_CODE, MEANINGS
from hubbub.settings import Settings
from hubbub.tables import metadata
from tests.support.examples import ROOT

REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text()


@pytest.mark.slow
def test_the_reference_is_not_stale():
    words = [sys.executable, ROOT / "tools" / "docs.py", "--check"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


async def test_every_operation_of_the_hub_is_in_the_reference(hub):
    told = page("operations.md")
    missing = [
        operation.spec.id
        for operation in hub.house.operations
        if f"\n### {operation.spec.id}\n" not in told
    ]
    assert missing == []


def test_every_scope_is_in_the_reference():
    told = page("operations.md")
    assert [scope for scope in {*SCOPES, *OWNER_SCOPES} if f"| `{scope}` |" not in told] == []


def test_every_error_is_in_the_reference_with_what_it_is_on_each_wire():
    told = page("errors.md")
    missing = [
        code
        for code, meaning in MEANINGS.items()
        if f"| `{code}` | `{BY_CODE[code].__name__}` |" not in told
        or f"| {meaning.http} |" not in told
    ]
    assert missing == []


def test_every_setting_is_in_the_reference_with_a_word_on_it():
    rows = [
        line.split(" | ") for line in page("settings.md").splitlines() if line.startswith("| `")
    ]
    told = {row[0].strip("| `"): row[-1].strip(" |") for row in rows}
    assert [field.name for field in msgspec.structs.fields(Settings)] == list(told)
    assert all(told.values())


def test_every_command_is_in_the_reference():
    told = page("cli.md")
    names = [name for section in SECTIONS.values() for name in section]
    assert [name for name in names if f"\n### hubbub {name}\n" not in told] == []


def test_every_table_is_in_the_reference():
    told = page("tables.md")
    assert [name for name in metadata.tables if f"\n## {name}\n" not in told] == []


def test_every_public_name_of_the_client_is_in_the_reference():
    told = page("client.md")
    found = [f"\n## {name}\n" in told or f"| `{name}` |" in told for name in client.__all__]
    assert [name for name, there in zip(client.__all__, found, strict=True) if not there] == []
