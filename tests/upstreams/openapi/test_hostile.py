"""Documents that were written to do harm, and those that are merely huge."""

from contextlib import suppress

import msgspec
import pytest

from hubbub.kernel.errors import AccessDenied, HubError, Invalid, TooLarge
from hubbub.kernel.limits import REGISTERED_OPERATIONS_MAX
from hubbub.upstreams.openapi import texts
from hubbub.upstreams.openapi.document import PARTS_MAX, beside, loaded
from hubbub.upstreams.openapi.translation import imported
from tests.upstreams.openapi.api import document, operation


def nested(step, depth, core):
    for _ in range(depth):
        core = step(core)
    return core


def lines(first, rest, count=30):
    return "\n".join([first, *(rest.format(n=n, m=n - 1) for n in range(1, count))])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (lines("a0: &a0 [x]", "a{n}: &a{n} [*a{m}, *a{m}, *a{m}, *a{m}, *a{m}]"), TooLarge),
        (lines("a0: &a0 {}", "a{n}: &a{n} {{x: *a{m}, y: *a{m}}}"), TooLarge),
        ("&a [*a]", Invalid),
        ("a: *b", Invalid),
        ("[" * 100_000, TooLarge),
        ("{a: " * 100_000, TooLarge),
        ("- " * 100_000, TooLarge),
        ('{"a":' * 500 + "1" + "}" * 500, TooLarge),
        ("? [a]\n: b", Invalid),
        ("\t", Invalid),
        ("a: 'open", Invalid),
        (b"\xff\xfe\xfd", Invalid),
    ],
)
def test_a_text_that_is_a_trap_is_refused(text, error):
    with pytest.raises(error):
        texts.read(text)


def test_what_is_merged_again_and_again_stays_what_it_is():
    text = lines("a0: &a0 {k: v}", "a{n}: &a{n}\n  <<: [*a{m}, *a{m}, *a{m}]", 9)
    assert texts.read(text)["a8"] == {"k": "v"}


def test_a_tag_makes_nothing():
    assert texts.read("!!python/object/apply:os.system ['true']") == ["true"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("200: {x: 0x10, y: 0o10, z: 1e3}", {"200": {"x": 16, "y": 8, "z": 1000.0}}),
        ("'5'", "5"),
        ("[~, null, true, False, .5, 1.0.0]", [None, None, True, False, 0.5, "1.0.0"]),
        ("a: &x {b: 1}\nc: {<<: *x, b: 2}", {"a": {"b": 1}, "c": {"b": 2}}),
        ("a: 99999999999999999999", {"a": 1e20}),
        ("", None),
        ('\ufeff{"a": 1}', {"a": 1}),
        ("{a: [1], }", {"a": [1]}),
    ],
)
def test_yaml_is_read_as_version_1_2_has_it(text, value):
    assert texts.read(text) == value


def test_a_text_has_an_end():
    with pytest.raises(TooLarge):
        texts.read(b" " * (texts.TEXT_BYTES_MAX + 1))


@pytest.mark.parametrize(
    ("document", "other", "may"),
    [
        ("https://a.example/x/api.json", "https://a.example/y.json", True),
        ("https://a.example/api.json", "https://b.example/y.json", False),
        ("https://a.example/api.json", "http://a.example/y.json", False),
        ("https://a.example/api.json", "https://a.example:8443/y.json", False),
        ("https://a.example/api.json", "file:///etc/passwd", False),
        ("file:///srv/api/api.json", "file:///srv/api/schemas/pet.json", True),
        ("file:///srv/api/api.json", "file:///srv/other.json", False),
        ("file:///srv/api/api.json", "file:///srv/api/%2e%2e/other.json", False),
        ("", "schemas/pet.json", True),
        ("", "../pet.json", False),
        ("", "/etc/passwd", False),
        ("", "https://a.example/pet.json", False),
    ],
)
def test_what_may_be_read_for_a_documents_sake(document, other, may):
    assert beside(document, other) is may


async def test_a_document_that_refers_elsewhere_has_nothing_fetched_there():
    asked = []

    async def fetch(url):
        asked.append(url)
        return b"{}"

    text = document({"/x": {"$ref": "http://169.254.169.254/latest/meta-data"}})
    with pytest.raises(AccessDenied):
        await loaded(msgspec.json.encode(text), "https://a.example/api.json", fetch)
    assert asked == []


async def test_a_document_whose_parts_have_no_end_is_refused():
    count = 0

    async def fetch(url):
        nonlocal count
        count += 1
        return b'{"$ref": "part%d.json"}' % count

    text = document({"/x": {"$ref": "part.json"}})
    with pytest.raises(TooLarge):
        await loaded(msgspec.json.encode(text), "https://a.example/api.json", fetch)
    assert count == PARTS_MAX - 1


async def test_schemas_that_grow_with_each_reference_come_out_bounded():
    two = [{"$ref": "#/components/schemas/S{}"}] * 2
    schemas = {
        f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"} for _ in two]}
        for n in range(60)
    }
    schemas["S60"] = {"type": "object"}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}}
    made = await imported(
        msgspec.json.encode(
            document(
                {"/x": {"post": operation("x", requestBody=body)}}, components={"schemas": schemas}
            )
        ),
        name="api",
    )
    # It would take years to check, so what cannot be checked is left open.
    (spec,) = made.specs
    assert spec.input_schema == {"type": "object", "properties": {"body": {}}}
    assert "left open" in made.warnings[0]


async def test_a_schema_that_is_too_big_is_cut_from_the_far_end():
    deep = nested(
        lambda core: {"type": "object", "properties": {f"p{n}": core for n in range(4)}},
        7,
        {"type": "string", "description": "x" * 50},
    )
    responses = {"200": {"description": "", "content": {"application/json": {"schema": deep}}}}
    made = await imported(
        msgspec.json.encode(document({"/x": {"get": operation("x", responses=responses)}})),
        name="api",
    )
    (spec,) = made.specs
    assert len(msgspec.json.encode(spec.output_schema)) < 40_000
    assert set(spec.output_schema["properties"]["p0"]["properties"]) == {"p0", "p1", "p2", "p3"}


@pytest.mark.slow
async def test_ten_thousand_operations_are_imported_and_one_more_is_refused():
    paths = {f"/p{n}": {"get": operation("same")} for n in range(REGISTERED_OPERATIONS_MAX)}
    made = await imported(msgspec.json.encode(document(paths)), name="api")
    assert len({spec.name for spec in made.specs}) == REGISTERED_OPERATIONS_MAX
    paths["/more"] = {"get": operation("same")}
    with pytest.raises(TooLarge):
        await imported(msgspec.json.encode(document(paths)), name="api")


WRONG = [None, True, 1, "x", [], [1], {}, {"x": 1}, [{}], {"$ref": 1}, {"$ref": "#/nowhere"}]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_whatever_stands_where_something_else_belongs_nothing_breaks(wrong):
    full = {
        "parameters": [{"name": "a", "in": "query", "schema": {"type": "string"}, "content": {}}],
        "requestBody": {
            "content": {
                "multipart/form-data": {
                    "schema": {"properties": {"a": {"items": {}}}, "required": ["a"]},
                    "encoding": {"a": {"style": "form"}},
                }
            }
        },
        "responses": {
            "200": {"content": {"application/json": {"schema": {"type": "object", "enum": [1]}}}}
        },
        "security": [{"k": []}],
        "servers": [{"url": "https://api.example", "variables": {"a": {"default": "x"}}}],
        "tags": ["a"],
        "operationId": "x",
    }
    whole = document(
        {"/x/{b}": {"parameters": [], "post": full}},
        components={"securitySchemes": {"k": {"type": "http", "scheme": "basic"}}},
    )
    for path in _paths(whole):
        text = msgspec.json.decode(msgspec.json.encode(whole))
        *steps, last = path
        part = text
        for step in steps:
            part = part[step]
        part[last] = wrong
        for version in ({}, {"openapi": "3.0.0"}):
            with suppress(HubError):  # it says what is wrong
                await imported(msgspec.json.encode({**text, **version}), name="api")


def _paths(value, path=()):
    if path:
        yield path
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _paths(each, (*path, name))
    elif isinstance(value, list):
        for n, each in enumerate(value):
            yield from _paths(each, (*path, n))
