"""HTTP APIs, added by their documents."""

import json

import pytest

from hubbub.interfaces.cli.openapi import parts
from hubbub.kernel.errors import Invalid

DOCUMENT = """
openapi: 3.1.0
info: {title: Shop, version: "1"}
servers: [{url: "http://127.0.0.1:9/v1"}]
paths:
  /things:
    get:
      operationId: listThings
      responses:
        "200":
          description: All of them
          content:
            application/json:
              schema: {$ref: "./schemas/things.yaml"}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
security: [{key: []}]
"""
THINGS = 'type: array\nitems:\n  $ref: "thing.yaml#/Thing"\n'
THING = "Thing: {type: object, properties: {name: {type: string}}}\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "api" / "schemas").mkdir(parents=True)
    (tmp_path / "api" / "shop.yaml").write_text(DOCUMENT)
    (tmp_path / "api" / "schemas" / "things.yaml").write_text(THINGS)
    (tmp_path / "api" / "schemas" / "thing.yaml").write_text(THING)
    (tmp_path / "key.txt").write_text("s3cret\n")
    return tmp_path


@pytest.fixture
def forgotten(cli):
    yield
    assert cli("call", "client.remove", "client=shop").exit_code == 0


def test_a_document_and_its_parts_become_operations(cli, answer, folder, forgotten):
    file = str(folder / "api" / "shop.yaml")
    dry = answer("openapi", "add", "shop", file, "--dry-run")
    assert [each["id"] for each in dry["operations"]] == ["shop.listThings"]
    assert "client" not in dry
    shown = cli("openapi", "add", "shop", file, "--dry-run")
    assert (shown.exit_code, "shop.listThings" in shown.stdout) == (0, True)
    (secret,) = [each["name"] for each in dry["secrets"]]
    added = answer("openapi", "add", "shop", file, "--secret", f"{secret}={folder / 'key.txt'}")
    assert (added["added"], added["missing"], added["warnings"]) == (["shop.listThings"], [], [])
    again = cli("openapi", "add", "shop", file)
    assert "1 operations  as before" in again.stdout
    known = answer("call", "operation.schema", "id=shop.listThings")["outputSchema"]
    assert "name" in json.dumps(known)


def test_files_elsewhere_are_not_read_unless_that_is_said(folder):
    text = '{"$ref": "../other.json"}'
    file = folder / "api" / "root.json"
    (folder / "other.json").write_text("{}")
    with pytest.raises(Invalid):
        parts(file, text, file.parent)
    assert parts(file, text, folder) == {"../other.json": "{}"}


def test_only_what_a_document_consists_of_is_read(folder):
    text = (
        '{"$ref": "../key.txt"} {"$ref": "gone.json"} {"$ref": "http://e.com/x.json"} $ref: "#/a"'
    )
    assert parts(folder / "api" / "root.json", text, folder) == {}


@pytest.mark.parametrize("words", [("no-such-file.yaml",), ("x.yaml", "--secret", "A")])
def test_what_cannot_be_read_says_so(cli, words):
    done = cli("openapi", "add", "shop", *words, "--json")
    assert (done.exit_code, json.loads(done.stderr)["error"]["code"]) == (2, "VALIDATION_ERROR")
