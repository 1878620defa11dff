"""What servers say that turn the hub away."""

import pytest

from hubbub.upstreams.oauth.challenge import Challenge, challenged


@pytest.mark.parametrize(
    ("status", "header", "found"),
    [
        (200, None, None),
        (401, None, Challenge()),
        (401, "Bearer", Challenge()),
        (401, 'Bearer realm="x"', Challenge()),
        (401, 'Basic realm="x"', None),
        (401, 'Bearer scope="a b"', Challenge(scopes=("a", "b"))),
        (
            401,
            'Bearer error="invalid_token", resource_metadata="https://here/meta"',
            Challenge(metadata="https://here/meta"),
        ),
        (401, 'Basic realm="x", bearer scope=a', Challenge(scopes=("a",))),
        (403, None, None),
        (403, 'Bearer error="invalid_token"', None),
        (
            403,
            'Bearer error="insufficient_scope", scope="more"',
            Challenge(scopes=("more",), insufficient=True),
        ),
    ],
)
def test_what_a_response_asks_for(status, header, found):
    assert challenged(status, header) == found
