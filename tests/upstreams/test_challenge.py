"""What a server says that does not let the hub in, and where it may send the hub."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.upstreams.oauth.challenge import CHARS_MAX, Challenge, challenged
from hubbub.upstreams.oauth.grant import lasting
from hubbub.upstreams.oauth.places import permitted

METADATA = "https://a.example/.well-known/oauth-protected-resource"


@pytest.mark.parametrize(
    ("status", "headers", "found"),
    [
        (200, ["Bearer"], None),
        (401, [], Challenge(status=401)),
        (401, ["Bearer"], Challenge(status=401)),
        (401, ["bearer scope=a"], Challenge(status=401, scope="a")),
        (401, ['Bearer realm="x", scope="a b"'], Challenge(status=401, scope="a b")),
        (401, [f'Bearer resource_metadata="{METADATA}"'], Challenge(status=401, metadata=METADATA)),
        (401, ['Basic realm="x"'], None),
        (401, ['Basic realm="x"', "Bearer"], Challenge(status=401)),
        (401, ['Basic realm="x", Bearer scope="a"'], Challenge(status=401, scope="a")),
        (401, ['Bearer scope="a\\"b"'], Challenge(status=401)),
        (403, [], None),
        (403, ["Bearer"], None),
        (403, ['Bearer error="invalid_token"'], None),
        (403, ['Bearer error="insufficient_scope", scope="w"'], Challenge(status=403, scope="w")),
    ],
)
def test_a_token_is_wanted_where_a_server_says_so(status, headers, found):
    assert challenged(status, headers) == found


@pytest.mark.parametrize(
    "challenge",
    [
        Challenge(status=401),
        Challenge(status=401, metadata=METADATA, scope="a b"),
        Challenge(status=403, scope="w"),
    ],
)
def test_a_challenge_can_be_said_again(challenge):
    assert challenged(challenge.status, [challenge.header()]) == challenge


@given(st.sampled_from([401, 403]), st.lists(st.text(max_size=CHARS_MAX // 4), max_size=4))
def test_whatever_is_said_nothing_breaks_out_of_its_quotes(status, headers):
    found = challenged(status, headers)
    assert found is None or challenged(status, [found.header()]) == found


@pytest.mark.parametrize(
    ("url", "server", "may"),
    [
        ("https://login.example/token", "https://mcp.example/mcp", True),
        ("https://login.example/token", "http://10.0.0.1/mcp", True),
        ("http://login.example/token", "https://mcp.example/mcp", False),
        ("http://10.0.0.1:8080/token", "http://10.0.0.1/mcp", True),
        ("http://10.0.0.2/token", "http://10.0.0.1/mcp", False),
        ("http://169.254.169.254/latest", "https://mcp.example/mcp", False),
        ("http://127.0.0.1:4820/v1/x", "https://mcp.example/mcp", False),
        ("https://localhost/x", "https://mcp.example/mcp", False),
        ("http://localhost:9/token", "http://127.0.0.1/mcp", True),
        ("ftp://mcp.example/x", "https://mcp.example/mcp", False),
        ("http://mcp.example/x", "https://mcp.example/mcp", False),
    ],
)
def test_tokens_travel_where_nobody_reads_them(url, server, may):
    assert permitted(url, server) is may


@pytest.mark.parametrize(
    ("life_s", "renew_s"), [(None, None), (3600, 3540), (100, 80), (10, 8), (0, 0)]
)
def test_a_token_is_renewed_a_while_before_it_expires(life_s, renew_s):
    tokens = lasting("a", None, None, life_s, 1000.0)
    assert tokens.renew_at == (None if renew_s is None else 1000.0 + renew_s)
