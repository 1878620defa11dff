"""An HTTP API, called through a router."""

import socket

import pytest

from hubbub.calls.model import Reason
from hubbub.kernel.errors import (
    Aborted,
    DomainError,
    ExecutionFailed,
    Invalid,
    TimedOut,
    TooLarge,
    Unavailable,
)
from hubbub.kernel.limits import FRAME_BYTES_MAX
from tests.upstreams.openapi.api import (
    Api,
    answers,
    document,
    linked,
    operation,
    parameter,
    running,
)

pytestmark = pytest.mark.slow


@pytest.fixture
async def url():
    async with running(Api().app) as url:
        yield url


async def test_an_answer_comes_in_an_envelope_that_tells_where_it_is_from(url):
    async with linked(url) as far:
        (envelope,) = await far.envelopes("echo", id="a")
        assert envelope["data"]["path"] == "/echo/a"
        meta = envelope["meta"]
        assert (meta["source"], meta["statusCode"], meta["contentType"]) == (
            "http", 200, "application/json",
        )  # fmt: skip
        assert meta["headers"]["x-kept"] == "yes"
        await far.nothing_held()


async def test_what_a_server_sets_for_itself_is_neither_recorded_nor_sent_back(url):
    async with linked(url) as far:
        (envelope,) = await far.envelopes("echo", id="a")
        assert "set-cookie" not in envelope["meta"]["headers"]
        assert "cookie" not in (await far("echo", id="b"))["headers"]


async def test_each_part_of_an_input_goes_where_it_belongs(url):
    async with linked(url) as far:
        seen = await far(
            "echo", id="x/../y?z", q=["one", "two&three"], crumb="c d", **{"X-Tag": "t"}
        )
        assert seen["path"] == "/echo/x%2F..%2Fy%3Fz"
        assert seen["query"] == "q=one&q=two%26three"
        assert (seen["headers"]["x-tag"], seen["headers"]["cookie"]) == ("t", "crumb=c%20d")
        assert seen["headers"]["accept"].startswith("application/json")


async def test_a_json_body_arrives_byte_for_byte(url):
    async with linked(url) as far:
        seen = await far("send", id="a", body={"n": 1.0, "deep": [None]})
        assert seen["body"] == '{"n":1.0,"deep":[null]}'
        assert seen["headers"]["content-type"] == "application/json"
        assert seen["headers"]["content-length"] == "23"


async def test_what_is_configured_no_input_replaces(url):
    headers, query = {"x-tag": "the hub's", "Authorization": "Bearer s3"}, {"q": "key"}
    async with linked(url, headers=headers, query=query) as far:
        seen = await far("echo", id="a", q=["mine"], **{"X-Tag": "mine"})
        assert (seen["headers"]["x-tag"], seen["headers"]["authorization"]) == (
            "the hub's", "Bearer s3",
        )  # fmt: skip
        assert seen["query"] == "q=key"


@pytest.mark.parametrize(
    "input", [{"id": ".."}, {"id": "."}, {"id": ""}, {"id": "a", "X-Tag": "a\r\nX-Other: b"}]
)
async def test_an_input_that_would_leave_its_place_is_refused(url, input):
    async with linked(url) as far:
        with pytest.raises(Invalid):
            await far("echo", **input)


@pytest.mark.parametrize(
    ("name", "data"),
    [("drop", None), ("picture", "iVBORwA="), ("text", "grün"), ("lies", '{"half":')],
)
async def test_what_is_no_json_is_told_as_what_it_is(url, name, data):
    async with linked(url) as far:
        assert await far(name, **({"id": "a"} if name == "drop" else {})) == data


async def test_an_answer_that_says_no_is_an_error_with_what_was_in_it(url):
    async with linked(url) as far:
        with pytest.raises(DomainError) as refused:
            await far("fail", code=404)
        assert refused.value.name == "HTTP_404"
        assert refused.value.details == {
            "status": 404,
            "httpStatus": 404,
            "contentType": "application/json",
            "body": {"why": "because"},
            "retryAfterMs": 3000,
        }
        with pytest.raises(DomainError) as undeclared:
            await far("fail", code=503)
        assert undeclared.value.name == "HTTP_503"
        await far.nothing_held()


async def test_that_the_hub_is_not_let_in_is_not_the_callers_fault(url):
    async with linked(url) as far:
        with pytest.raises(DomainError) as refused:
            await far("fail", code=401)
        assert (refused.value.name, refused.value.details["httpStatus"]) == ("HTTP_401", 502)


async def test_a_stream_of_events_is_as_many_answers_and_then_the_end(url):
    async with linked(url) as far:
        one, two = await far.envelopes("events")
        assert (one["data"], one["meta"]["event"], one["meta"]["eventId"]) == (
            {"n": 1},
            "tick",
            "1",
        )
        assert (two["data"], two["meta"]["contentType"]) == ("two\nlines", "text/event-stream")
        await far.nothing_held()


async def test_a_stream_that_is_one_answer_after_all_is_that_and_the_end(url):
    told = document({"/text": {"get": operation("text", responses=answers("text/event-stream"))}})
    async with linked(url, told) as far:
        (envelope,) = await far.envelopes("text")
        assert (envelope["data"], envelope["meta"]["contentType"]) == ("grün", "text/plain")
        await far.nothing_held()


async def test_what_is_sent_may_come_from_a_file_that_ends_in_a_newline(url):
    async with linked(url, headers={"Authorization": "Bearer s3\n"}) as far:
        assert (await far("echo", id="a"))["headers"]["authorization"] == "Bearer s3"


async def test_who_leaves_a_stream_ends_it_there():
    api = Api()
    async with running(api.app) as url, linked(url) as far:
        async with far.open("drip") as (_, heard):
            await anext(heard)
        await api.stopped.wait()
        await far.nothing_held()


async def test_a_call_that_is_aborted_is_given_up_there():
    api = Api()
    async with running(api.app) as url, linked(url) as far:
        async with far.open("wait") as (call, heard):
            await api.begun.wait()
            far.calls.router.abort(call)
            with pytest.raises(Aborted) as aborted:
                await anext(heard)
            assert aborted.value.details["reason"] == Reason.CANCELLED
        await api.stopped.wait()
        await far.nothing_held()


async def test_an_answer_that_takes_too_long_names_the_limit(url):
    async with linked(url, call_timeout_s=0.05) as far:
        with pytest.raises(TimedOut) as late:
            await far("wait")
        assert late.value.details["timeoutS"] == 0.05


@pytest.mark.slow
async def test_an_answer_that_no_frame_can_carry_names_the_limit(url):
    async with linked(url) as far:
        with pytest.raises(TooLarge) as large:
            await far("big")
        assert large.value.details == {"maximum": FRAME_BYTES_MAX}
        await far.nothing_held()


async def test_where_nobody_listens_nothing_was_sent():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with linked(f"http://127.0.0.1:{port}") as far:
        with pytest.raises(Unavailable):
            await far("send", id="a", body={})


@pytest.mark.parametrize("name", ["snap", "snapPost"])
async def test_a_connection_that_breaks_later_is_a_failure_and_not_tried_again(name):
    api = Api()
    async with running(api.app) as url, linked(url) as far:
        with pytest.raises(ExecutionFailed):
            await far(name)
        assert api.broken == 1


async def test_a_redirect_is_followed_on_the_same_origin_only(url):
    async with running(Api().app) as other, linked(url, headers={"Authorization": "s3"}) as far:
        assert (await far("away", to="/echo/there"))["headers"]["authorization"] == "s3"
        with pytest.raises(DomainError) as refused:
            await far("away", to=f"{other}/echo/there")
        assert refused.value.name == "HTTP_302"
        assert refused.value.details["location"] == f"{other}/echo/there"


async def test_a_circle_of_redirects_ends(url):
    async with linked(url) as far:
        with pytest.raises(ExecutionFailed):
            await far("round")


async def test_a_key_in_the_url_is_in_no_error():
    async with linked("http://nowhere.invalid", query={"key": "s3cret"}) as far:
        with pytest.raises(Unavailable) as refused:
            await far("echo", id="a")
        assert "s3cret" not in f"{refused.value.message} {refused.value.details}"


async def test_a_link_that_is_closed_takes_no_calls(url):
    async with linked(url) as far:
        await far("echo", id="a")
        await far.link.close()
        with pytest.raises(Unavailable):
            await far("echo", id="a")


async def test_a_form_with_a_file_arrives(url):
    fields = {
        "title": {"type": "string"},
        "file": {"type": "string", "format": "binary"},
        "about": {"type": "object"},
    }
    form = {"multipart/form-data": {"schema": {"type": "object", "properties": fields}}}
    text = document(
        {
            "/echo/{id}": {
                "post": operation("upload", parameter("id", "path"), requestBody={"content": form})
            }
        }
    )
    async with linked(url, text) as far:
        file = {"data": "AGIA", "filename": 'a"b.bin', "contentType": "image/png"}
        seen = await far("upload", id="a", body={"title": "T", "file": file, "about": {"n": 1}})
        boundary = seen["headers"]["content-type"].partition("boundary=")[2]
        parts = [part.strip("\r\n-") for part in seen["body"].split(boundary)][1:-1]
        assert parts == [
            'Content-Disposition: form-data; name="title"\r\n\r\nT',
            'Content-Disposition: form-data; name="file"; filename="a%22b.bin"\r\n'
            "Content-Type: image/png\r\n\r\n\0b\0",
            'Content-Disposition: form-data; name="about"\r\n'
            'Content-Type: application/json\r\n\r\n{"n":1}',
        ]
