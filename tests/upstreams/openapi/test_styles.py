"""How parameters are written, and that they can be read again."""

import json
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from starlette.datastructures import QueryParams

from hubbub.kernel.errors import Invalid, TooLarge
from hubbub.protocol.codec import encode
from hubbub.services.model import HttpApi
from hubbub.upstreams.openapi import styles
from hubbub.upstreams.openapi.binding import Binding, Body, FormField, Parameter
from hubbub.upstreams.openapi.request import request_of

LIST = ["a", "b", "c"]
OBJECT = {"R": 1, "G": 2}


def parameter(location, style, explode, **more):
    return Parameter(
        field="color", name="color", location=location, style=style, explode=explode, **more
    )


@pytest.mark.parametrize(
    ("style", "explode", "empty", "text", "list", "object"),
    [
        # The table of the specification; `None` where nothing is defined.
        ("matrix", False, ";color", ";color=blue", ";color=a,b,c", ";color=R,1,G,2"),
        ("matrix", True, ";color", ";color=blue", ";color=a;color=b;color=c", ";R=1;G=2"),
        ("label", False, None, ".blue", ".a,b,c", ".R,1,G,2"),
        ("label", True, None, ".blue", ".a.b.c", ".R=1.G=2"),
        ("simple", False, None, "blue", "a,b,c", "R,1,G,2"),
        ("simple", True, None, "blue", "a,b,c", "R=1,G=2"),
    ],
)  # fmt: skip
def test_the_styles_of_paths(style, explode, empty, text, list, object):
    told = parameter("path", style, explode)
    if empty is not None:
        assert styles.segment(told, "") == empty
    assert styles.segment(told, "blue") == text
    assert styles.segment(told, LIST) == list
    assert styles.segment(told, OBJECT) == object


@pytest.mark.parametrize(
    ("style", "explode", "empty", "text", "list", "object"),
    [
        ("form", False, "color=", "color=blue", "color=a,b,c", "color=R,1,G,2"),
        ("form", True, "color=", "color=blue", "color=a&color=b&color=c", "R=1&G=2"),
        ("spaceDelimited", False, None, None, "color=a%20b%20c", "color=R%201%20G%202"),
        ("pipeDelimited", False, None, None, "color=a%7Cb%7Cc", "color=R%7C1%7CG%7C2"),
        ("spaceDelimited", True, None, None, "color=a&color=b&color=c", None),
        ("deepObject", True, None, None, "color%5B%5D=a&color%5B%5D=b&color%5B%5D=c",
         "color%5BR%5D=1&color%5BG%5D=2"),
    ],
)  # fmt: skip
def test_the_styles_of_queries(style, explode, empty, text, list, object):
    told = parameter("query", style, explode)
    for value, written in (("", empty), ("blue", text), (LIST, list), (OBJECT, object)):
        if written is not None:
            assert "&".join(styles.query(told, value)) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"gt": 1, "in": {"a": True}}, "color%5Bgt%5D=1&color%5Bin%5D%5Ba%5D=true"),
        ({"any": ["x", "y"]}, "color%5Bany%5D%5B%5D=x&color%5Bany%5D%5B%5D=y"),
        ([{"a": 1}, {"a": 2}], "color%5B0%5D%5Ba%5D=1&color%5B1%5D%5Ba%5D=2"),
        ({"none": None}, ""),
    ],
)
def test_what_is_nested_stands_in_further_brackets(value, written):
    assert "&".join(styles.query(parameter("query", "deepObject", True), value)) == written


@pytest.mark.parametrize(
    ("explode", "value", "written"),
    [
        (False, "blue", "blue"),
        (False, LIST, "a,b,c"),
        (False, OBJECT, "R,1,G,2"),
        (True, OBJECT, "R=1,G=2"),
        (False, True, "true"),
        (False, "a b%&", "a b%&"),
    ],
)
def test_the_style_of_headers(explode, value, written):
    assert styles.header(parameter("header", "simple", explode), value) == written


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\0", ["a", "\r\n"]])
def test_a_header_ends_where_it_ends(value):
    with pytest.raises(Invalid):
        styles.header(parameter("header", "simple", False), value)


def test_what_is_reserved_stays_where_that_is_allowed_and_what_ends_a_value_never_does():
    told = parameter("query", "form", True, allow_reserved=True)
    assert list(styles.query(told, "a/b?c:@d&e#f+g%20")) == ["color=a/b?c:@d%26e%23f%2Bg%2520"]


@pytest.mark.parametrize("location", ["path", "query", "header", "cookie"])
def test_content_is_written_as_json(location):
    told = parameter(location, "simple", False, json=True)
    writer = {
        "path": styles.segment,
        "query": lambda *args: next(styles.query(*args)).removeprefix("color="),
        "header": styles.header,
        "cookie": lambda *args: next(styles.cookies(*args)).removeprefix("color="),
    }[location]
    assert json.loads(unquote(writer(told, OBJECT))) == OBJECT


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
API = HttpApi(base_url="https://api.example/base")


def sent(value, location, style="form", explode=True, api=API):
    """The request for one parameter."""
    path = "/before/{color}/after" if location == "path" else "/x"
    told = parameter(location, style, explode)
    binding = Binding(method="GET", path=path, parameters=(told,))
    return request_of(binding, api, Raw(encode({"color": value})), "b")


@given(TEXTS)
def test_no_value_leaves_its_part_of_the_path(value):
    try:
        url = sent(value, "path", "simple").url
    except Invalid:
        assert value in ("", ".", "..")
        return
    parts = urlsplit(url)
    before, color, after = parts.path.removeprefix("/base/").split("/")
    assert (parts.netloc, before, after, parts.query) == ("api.example", "before", "after", "")
    assert unquote(color) == value


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_list_in_a_query_is_read_as_it_was(values):
    query = urlsplit(sent(values, "query").url).query
    assert QueryParams(query).getlist("color") == values
    assert parse_qsl(query, keep_blank_values=True) == [("color", each) for each in values]


@given(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=4))
def test_an_object_in_a_query_is_read_as_it_was(value):
    query = urlsplit(sent(value, "query").url).query
    assert dict(parse_qsl(query, keep_blank_values=True)) == value
    deep = urlsplit(sent(value, "query", "deepObject").url).query
    expected = {f"color[{name}]": each for name, each in value.items()}
    assert dict(parse_qsl(deep, keep_blank_values=True)) == expected


@given(st.lists(TEXTS, min_size=1, max_size=4), st.sampled_from(["form", "pipeDelimited"]))
def test_what_is_not_exploded_is_one_parameter_whose_parts_can_be_told_apart(values, style):
    query = urlsplit(sent(values, "query", style, False).url).query
    (written,) = query.split("&")
    between = "," if style == "form" else "%7C"
    assert written.startswith("color=")
    if style == "form" or not any("|" in each for each in values):
        assert [unquote(p) for p in written.removeprefix("color=").split(between)] == values


@given(st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_a_form_is_read_as_it_was(value):
    body = Body(content_type="application/x-www-form-urlencoded")
    binding = Binding(method="POST", path="/x", body=body)
    made = request_of(binding, API, Raw(encode({"body": value})), "b")
    assert dict(parse_qsl(made.body.decode(), keep_blank_values=True)) == value


@pytest.mark.parametrize(
    ("value", "said", "written"),
    [
        ({"a": 1}, FormField(), "f=%7B%22a%22%3A1%7D"),
        ({"a": 1}, FormField(style="deepObject"), "f%5Ba%5D=1"),
        ([1, 2], FormField(), "f=1&f=2"),
        ([1, 2], FormField(style="form", explode=False), "f=1,2"),
        ([1, 2], FormField(content_type="application/json"), "f=%5B1%2C2%5D"),
    ],
)
def test_the_fields_of_a_form(value, said, written):
    assert "&".join(styles.form("f", value, said)) == written


def test_what_is_nothing_is_not_sent():
    assert sent(None, "query").url == "https://api.example/base/x"
    assert sent([], "query").url == "https://api.example/base/x"


@pytest.mark.parametrize(
    ("kind", "given", "body"),
    [
        ("application/json", {"n": 1.50}, b'{"n":1.5}'),
        ("application/vnd.x+json", [1], b"[1]"),
        ("text/plain", "text", b"text"),
        ("application/xml", "<a/>", b"<a/>"),
    ],
)
def test_bodies(kind, given, body):
    binding = Binding(method="POST", path="/x", body=Body(content_type=kind))
    made = request_of(binding, API, Raw(encode({"body": given})), "b")
    assert (made.body, made.headers["Content-Type"]) == (body, kind)


def test_bytes_come_in_base64_and_nothing_else():
    binding = Binding(
        method="POST", path="/x", body=Body(content_type="application/octet-stream", binary=True)
    )
    assert request_of(binding, API, Raw(b'{"body": "AAE="}'), "b").body == b"\0\1"
    for other in ('"?"', '"AA"', "1"):
        with pytest.raises(Invalid):
            request_of(binding, API, Raw(b'{"body": %s}' % other.encode()), "b")


def test_a_url_has_an_end():
    with pytest.raises(TooLarge):
        sent("x" * 40_000, "query")


def test_a_path_may_bring_a_query_of_its_own():
    binding = Binding(
        method="GET", path="/x?kind=all", parameters=(parameter("query", "form", True),)
    )
    made = request_of(binding, API, Raw(b'{"color": 1}'), "b")
    assert made.url == "https://api.example/base/x?kind=all&color=1"
