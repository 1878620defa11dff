"""What becomes of a document."""

import msgspec
import pytest

from hubbub.kernel.errors import Invalid
from hubbub.operations.validation import Validator
from hubbub.upstreams.openapi.translation import imported
from tests.upstreams.openapi.api import answers, document, operation, parameter


async def made(document, **more):
    return await imported(msgspec.json.encode(document), name="api", **more)


async def specs(document, **more):
    return {spec.name: spec for spec in (await made(document, **more)).specs}


async def spec_of(operation, path="/x", method="get", **more):
    (spec,) = (await made(document({path: {method: operation}}, **more))).specs
    return spec


def responding(schema):
    return {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}


@pytest.mark.parametrize(
    ("method", "responses", "type", "idempotent"),
    [
        ("get", {}, "query", True),
        ("head", {}, "query", True),
        ("post", {}, "mutation", False),
        ("put", {}, "mutation", False),
        ("patch", {}, "mutation", False),
        ("delete", {}, "mutation", False),
        ("get", answers("text/event-stream"), "subscription", True),
        ("post", answers("text/event-stream; charset=utf-8"), "subscription", False),
    ],
)
async def test_the_type_of_an_operation_follows_from_method_and_answer(
    method, responses, type, idempotent
):
    spec = await spec_of(operation("x", responses=responses), method=method)
    assert (spec.type, spec.idempotent) == (type, idempotent)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([("get", "/a", "listPets")], ["listPets"]),
        ([("get", "/a", "pets.list/all")], ["pets_list_all"]),
        ([("get", "/a", "2fa")], ["op_2fa"]),
        ([("get", "/a", "日本")], ["get_a"]),
        ([("get", "/", None)], ["get_root"]),
        ([("get", "/users/{id}/posts", None)], ["get_users_posts"]),
        ([("get", "/users/{id}", None), ("get", "/users", None)], ["get_users_by_id", "get_users"]),
        ([("get", "/a", "a.b"), ("get", "/b", "a_b")], ["a_b_2", "a_b"]),
        ([("get", "/a", "same"), ("get", "/b", "same")], ["same", "same_2"]),
        ([("get", "/a", "x" * 300)], ["x" * 120]),
    ],
)
async def test_each_operation_has_a_name_of_its_own(paths, names):
    text = document({path: {method: operation(id)} for method, path, id in paths})
    found = await made(text)
    assert [spec.name for spec in found.specs] == names
    assert [spec.meta.get("operationId") for spec in found.specs] == [id for _, _, id in paths]


async def test_an_operation_says_what_its_document_says_of_it():
    spec = await spec_of(
        operation("x", summary="Short", description=" Long.\n", tags=["a", None], deprecated=True)
    )
    assert (spec.id, spec.version, spec.title) == ("api.x", "1.2.3", "Short")
    assert (spec.description, spec.tags) == ("Long.", ("a",))
    assert spec.meta == {
        "method": "GET",
        "path": "/x",
        "summary": "Short",
        "operationId": "x",
        "deprecated": True,
        "accept": "application/json, */*;q=0.5",
    }
    assert (await spec_of({"responses": {}})).description == "GET /x"


async def test_an_input_is_the_parameters_side_by_side_and_the_body():
    spec = await spec_of(
        {
            "operationId": "x",
            "parameters": [
                parameter("id", description="over the path's", required=True),
                parameter("X-Trace", "header", schema={"type": "integer"}),
                parameter("filter[name]"),
                parameter("Authorization", "header"),
                {"name": "bare", "in": "query"},
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "text/plain": {},
                    "application/json": {"schema": {"type": "object"}},
                },
            },
        },
        path="/x/{id}/{more}",
        method="post",
    )
    assert spec.input_schema == {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "more": {"type": "string"},
            "query_id": {"type": "string", "description": "over the path's"},
            "X-Trace": {"type": "integer"},
            "filter_name": {"type": "string"},
            "bare": {"type": "string"},
            "body": {"type": "object"},
        },
        "required": ["id", "more", "query_id", "body"],
        "additionalProperties": False,
    }
    where = {each["field"]: (each["in"], each["name"]) for each in spec.meta["parameters"]}
    assert where["filter_name"] == ("query", "filter[name]")
    assert where["query_id"] == ("query", "id")


async def test_what_a_path_says_holds_for_its_methods_unless_they_say_otherwise():
    item = {
        "parameters": [parameter("a", type="integer"), parameter("b")],
        "servers": [{"url": "https://api.example/v2/"}],
        "get": operation("x", parameter("a", type="boolean")),
    }
    (spec,) = (await made(document({"/x": item}))).specs
    assert spec.input_schema["properties"] == {"a": {"type": "boolean"}, "b": {"type": "string"}}
    assert spec.meta["basePath"] == "/v2"


@pytest.mark.parametrize(
    ("url", "server", "path"),
    [
        ("", "/other", "/other"),
        ("https://docs.example/api.json", "https://api.example/other/", "/other"),
        ("https://api.example/docs/api.json", "v2", "/docs/v2"),
    ],
)
async def test_an_operation_may_have_a_server_of_its_own_on_the_same_origin(url, server, path):
    here = operation("here", servers=[{"url": server}])
    (spec,) = (await made(document({"/x": {"get": here}}), url=url)).specs
    assert spec.meta["basePath"] == path


async def test_an_operation_on_another_server_is_left_out_and_told():
    other = operation("away", servers=[{"url": "https://other.example"}])
    found = await made(document({"/x": {"get": other}, "/y": {"get": operation("here")}}))
    assert [spec.name for spec in found.specs] == ["here"]
    assert found.warnings == (
        "GET /x is left out: it is on another server, which is not to see the credentials",
    )


@pytest.mark.parametrize(
    ("servers", "url", "base"),
    [
        ([{"url": "https://a.example/v1/"}], "", "https://a.example/v1"),
        ([{"url": "/v1"}], "https://b.example/docs/openapi.json", "https://b.example/v1"),
        ([{"url": "../v1"}], "https://b.example/docs/openapi.json", "https://b.example/v1"),
        (None, "https://b.example/docs/openapi.json", "https://b.example"),
        (
            [
                {
                    "url": "https://{host}:{port}/v{n}",
                    "variables": {
                        "host": {"default": "c.example"},
                        "port": {"default": "8443"},
                        "n": {"default": 2},
                    },
                }
            ],
            "",
            "https://c.example:8443/v2",
        ),
        ([{"url": "wss://d.example"}, {"url": "https://e.example"}], "", "https://e.example"),
    ],
)
async def test_where_an_api_is(servers, url, base):
    text = document({})
    text["servers"] = servers
    if servers is None:
        del text["servers"]
    assert (await made(text, url=url)).config.base_url == base


@pytest.mark.parametrize(
    ("schema", "modern"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({"nullable": True}, {"anyOf": [{}, {"type": "null"}]}),
        (
            {"allOf": [{"type": "object"}], "nullable": True},
            {"anyOf": [{"allOf": [{"type": "object"}]}, {"type": "null"}]},
        ),
        (
            {"type": "number", "minimum": 1, "exclusiveMinimum": True},
            {"type": "number", "exclusiveMinimum": 1},
        ),
        (
            {"type": "number", "maximum": 1, "exclusiveMaximum": False},
            {"type": "number", "maximum": 1},
        ),
        ({"type": "string", "format": "binary"}, {"type": "string", "contentEncoding": "base64"}),
        ({"type": "integer", "example": 5}, {"type": "integer", "examples": [5]}),
        ({"type": "any", "x-more": 1, "discriminator": {"propertyName": "k"}}, {}),
        ({"type": "object", "required": True, "minProperties": -1}, {"type": "object"}),
        (
            {"type": "object", "properties": {"a": {"type": "string", "writeOnly": True}}},
            {"type": "object", "properties": {}, "required": []},
        ),
        ({"type": "string", "pattern": "["}, {"type": "string"}),
    ],
)
async def test_a_schema_of_3_0_says_the_same_as_json_schema(schema, modern):
    spec = await spec_of(operation("x", responses=responding(schema)), openapi="3.0.3")
    assert spec.output_schema == modern


async def test_what_the_server_alone_says_is_not_asked_for():
    schema = {
        "type": "object",
        "required": ["id", "name"],
        "properties": {"id": {"type": "string", "readOnly": True}, "name": {"type": "string"}},
    }
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}
    spec = await spec_of(
        operation(
            "x", requestBody=body, responses=responding({"$ref": "#/components/schemas/Pet"})
        ),
        method="post",
        components={"schemas": {"Pet": schema}},
    )
    assert spec.input_schema["$defs"]["Pet"] == {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}},
    }
    assert spec.output_schema["$defs"]["Pet"]["required"] == ["id", "name"]


async def test_a_schema_that_refers_to_itself_is_kept_once_and_checks():
    node = {
        "type": "object",
        "properties": {
            "value": {"type": "integer"},
            "next": {"$ref": "#/components/schemas/Node"},
            "other": {"$ref": "#/components/schemas/Node/properties/value"},
        },
    }
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}
    spec = await spec_of(
        operation("x", requestBody=body), method="post", components={"schemas": {"Node": node}}
    )
    assert set(spec.input_schema["$defs"]) == {"Node", "value"}
    check = Validator(spec.input_schema).check
    check(b'{"body": {"value": 1, "next": {"next": {"value": 2}}}}')
    with pytest.raises(Invalid):
        check(b'{"body": {"next": {"next": {"value": "two"}}}}')


@pytest.mark.parametrize("openapi", ["3.0.0", "3.1.0"])
async def test_references_that_lead_round_or_nowhere_leave_their_place_open(openapi):
    schemas = {
        "A": {"$ref": "#/components/schemas/B"},
        "B": {"$ref": "#/components/schemas/A"},
        "C": {"allOf": [{"$ref": "#/components/schemas/C"}]},
    }
    for name in ("A", "C", "Missing"):
        schema = {"$ref": f"#/components/schemas/{name}"}
        found = await made(
            document(
                {"/x": {"get": operation("x", responses=responding(schema))}},
                components={"schemas": schemas},
                openapi=openapi,
            )
        )
        Validator(found.specs[0].output_schema).check(b'{"any": "thing"}')
        assert bool(found.warnings) == (name != "C")


async def test_two_schemas_of_one_name_are_kept_apart():
    text = document(
        {
            "/x": {
                "get": operation(
                    "x",
                    responses=responding(
                        {
                            "type": "object",
                            "properties": {
                                "a": {"$ref": "#/components/schemas/Pet"},
                                "b": {"$ref": "#/components/examples/Pet"},
                            },
                        }
                    ),
                )
            }
        },
        components={"schemas": {"Pet": {"type": "string"}}, "examples": {"Pet": {"type": "null"}}},
    )
    spec = (await specs(text))["x"]
    assert spec.output_schema["$defs"] == {"Pet": {"type": "string"}, "Pet_2": {"type": "null"}}


async def test_parameters_bodies_and_answers_may_stand_elsewhere():
    text = document(
        {
            "/x": {
                "post": {
                    "operationId": "x",
                    "parameters": [{"$ref": "#/components/parameters/Page"}],
                    "requestBody": {"$ref": "#/components/requestBodies/Pet"},
                    "responses": {"404": {"$ref": "#/components/responses/Gone"}},
                }
            }
        },
        components={
            "parameters": {"Page": parameter("page", type="integer")},
            "requestBodies": {"Pet": {"content": {"application/json": {}}}},
            "responses": {"Gone": {"description": "Gone for good"}},
        },
    )
    spec = (await specs(text))["x"]
    assert list(spec.input_schema["properties"]) == ["page", "body"]
    assert [(e.code, e.description) for e in spec.error_schemas] == [("HTTP_404", "Gone for good")]


async def test_answers_that_are_errors_are_declared():
    problem = {"type": "object", "properties": {"why": {"$ref": "#/components/schemas/Why"}}}
    content = {"application/problem+json": {"schema": problem}}
    spec = await spec_of(
        operation(
            "x",
            responses={
                "200": {"description": "ok"},
                "401": {"description": ""},
                "404": {"description": "Not there", "content": content},
                "5XX": {"description": "Broken"},
                "default": {"description": "Else"},
            },
        ),
        components={"schemas": {"Why": {"type": "string"}}},
    )
    assert [(each.code, each.http_status, each.description) for each in spec.error_schemas] == [
        ("HTTP_401", 502, "Unauthorized"),
        ("HTTP_404", 404, "Not there"),
        ("HTTP_4XX", None, "Else"),
        ("HTTP_5XX", None, "Broken"),
    ]
    assert spec.error_schemas[1].schema == {
        "type": "object",
        "properties": {"body": {"type": "object", "properties": {"why": {"$ref": "#/$defs/Why"}}}},
        "$defs": {"Why": {"type": "string"}},
    }


@pytest.mark.parametrize(
    ("responses", "schema"),
    [
        ({"204": {"description": ""}}, {"type": "null"}),
        (answers("text/plain"), {"type": "string"}),
        (answers("image/png"), {}),
        (
            {**responding({"type": "integer"}), "204": {"description": ""}},
            {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        ),
        (
            {"2XX": responding({"type": "boolean"})["200"]},
            {"type": "boolean"},
        ),
    ],
)
async def test_the_schema_of_an_answer(responses, schema):
    assert (await spec_of(operation("x", responses=responses))).output_schema == schema


@pytest.mark.parametrize(
    ("scheme", "headers", "query"),
    [
        ({"type": "http", "scheme": "Bearer"}, {"Authorization": "Bearer ${secret:MY_KEY}"}, {}),
        ({"type": "http", "scheme": "basic"}, {"Authorization": "Basic ${secret:MY_KEY}"}, {}),
        ({"type": "http", "scheme": "DPoP"}, {"Authorization": "DPoP ${secret:MY_KEY}"}, {}),
        ({"type": "oauth2", "flows": {}}, {"Authorization": "Bearer ${secret:MY_KEY}"}, {}),
        ({"type": "apiKey", "in": "header", "name": "k"}, {"k": "${secret:MY_KEY}"}, {}),
        ({"type": "apiKey", "in": "query", "name": "k"}, {}, {"k": "${secret:MY_KEY}"}),
        ({"type": "apiKey", "in": "cookie", "name": "k"}, {"Cookie": "k=${secret:MY_KEY}"}, {}),
    ],
)
async def test_what_an_api_wants_to_be_shown_goes_by_reference(scheme, headers, query):
    text = document(
        {"/x": {"get": operation("x", parameter("k", scheme.get("in", "query")))}},
        components={"securitySchemes": {"myKey": scheme}},
        security=[{}, {"myKey": []}],
    )
    found = await made(text)
    assert (found.config.headers, found.config.query) == (headers, query)
    assert [secret.name for secret in found.secrets] == ["MY_KEY"]
    # What the hub shows, callers need not.
    asked = set() if scheme.get("name") == "k" else {"k"}
    assert set(found.specs[0].input_schema["properties"]) == asked


async def test_a_header_that_cannot_be_sent_and_a_path_that_is_lost_are_left_out_and_told():
    odd = parameter("X Odd\r\n", "header")
    found = await made(document({"/x": {"get": operation("x", odd)}, "/y": {"$ref": "#/nowhere"}}))
    assert found.specs == ()
    assert [warning.partition(":")[0] for warning in found.warnings] == [
        "/y is left out",
        "GET /x is left out",
    ]


async def test_a_scheme_of_no_known_kind_is_told():
    found = await made(
        document(
            {"/x": {"get": operation("x")}},
            components={"securitySchemes": {"tls": {"type": "mutualTLS"}}},
            security=[{"tls": []}],
        )
    )
    assert found.warnings == ("the security scheme tls is of no kind known here",)


async def test_a_document_of_version_2_is_read_as_one_of_3():
    text = {
        "swagger": "2.0",
        "info": {"title": "Old", "version": "1"},
        "host": "old.example",
        "basePath": "/v1",
        "schemes": ["http", "https"],
        "securityDefinitions": {"login": {"type": "basic"}},
        "security": [{"login": []}],
        "definitions": {"Pet": {"type": "object"}},
        "parameters": {
            "Body": {"name": "pet", "in": "body", "schema": {"$ref": "#/definitions/Pet"}}
        },
        "paths": {
            "/pets": {
                "parameters": [{"name": "tags", "in": "query", "type": "array", "items": {}}],
                "post": {
                    "operationId": "add",
                    "parameters": [{"$ref": "#/parameters/Body"}],
                    "responses": {"200": {"schema": {"$ref": "#/definitions/Pet"}}},
                },
                "put": {
                    "operationId": "upload",
                    "parameters": [
                        {"name": "file", "in": "formData", "type": "file", "required": True}
                    ],
                    "responses": {},
                },
            }
        },
    }
    found = await made(text)
    assert found.config.base_url == "https://old.example/v1"
    assert found.config.headers == {"Authorization": "Basic ${secret:LOGIN}"}
    add, upload = found.specs
    assert add.input_schema["properties"]["body"] == {"$ref": "#/$defs/Pet"}
    assert add.output_schema == {"$ref": "#/$defs/Pet", "$defs": {"Pet": {"type": "object"}}}
    assert [each["explode"] for each in add.meta["parameters"]] == [False]
    assert upload.meta["body"]["contentType"] == "multipart/form-data"
    assert upload.meta["body"]["form"] == {"file": {"binary": True}}
