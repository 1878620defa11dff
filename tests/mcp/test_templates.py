"""Which URIs a template makes."""

import pytest

from hubbub.interfaces.mcp.templates import matches


@pytest.mark.parametrize(
    ("template", "uri", "made"),
    [
        ("file:///{name}", "file:///a.txt", True),
        ("file:///{name}", "file:///a/b.txt", False),
        ("file:///{+path}", "file:///a/b.txt", True),
        ("test://t/{id}/data", "test://t/7/data", True),
        ("test://t/{id}/data", "test://t/7/other", False),
        ("x://q{?a,b}", "x://q?a=1&b=2", True),
        ("x://q{?a,b}", "x://q", True),
        ("x://a.b", "x://aab", False),
        ("x://{" + "a" * 3000 + "}", "x://b", False),
    ],
)
def test_a_uri_is_made_by_a_template_or_is_not(template, uri, made):
    assert matches(template, uri) is made
