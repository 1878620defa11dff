"""The request that a call makes. No I/O.

Whatever an input holds stays in its place: a value cannot leave its part of the path, become a
second parameter, or take the place of what the hub itself sends.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec
from msgspec import Raw

from hubbub.kernel.errors import Invalid, TooLarge
from hubbub.services.model import HttpApi
from hubbub.upstreams.openapi import styles
from hubbub.upstreams.openapi.binding import Binding, Parameter
from hubbub.upstreams.openapi.bodies import content
from hubbub.upstreams.openapi.inputs import BODY

URL_CHARS_MAX: Final = 32_768
_PATH_SAFE: Final = "/:@!$&'()*+,;=~%"
_decode_input = msgspec.json.Decoder(dict[str, Raw]).decode


@dataclass(frozen=True, kw_only=True)
class Request:
    """What goes over the wire."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


def request_of(binding: Binding, api: HttpApi, raw: Raw, boundary: str) -> Request:
    """The request for an input that fits its schema.

    Args:
        api: where it goes, its secrets filled in.
        boundary: for a body in several parts.

    Raises:
        Invalid: if the input cannot be sent so.
    """
    given = _decode_input(raw)
    values = {
        parameter: msgspec.json.decode(given[parameter.field])
        for parameter in binding.parameters
        if given.get(parameter.field, _NULL) != _NULL
    }
    headers = {"Accept": binding.accept, "User-Agent": "hubbub"}
    body: bytes | None = None
    if binding.body is not None and BODY in given:
        body, headers["Content-Type"] = content(binding.body, given[BODY], boundary)
    url = f"{_path(binding, api, values)}{_query(binding, api, values)}"
    if len(url) > URL_CHARS_MAX:
        raise TooLarge("the URL would be too long", maximum=URL_CHARS_MAX)
    return Request(
        method=binding.method, url=url, headers=_headers(headers, api, values), body=body
    )


_NULL: Final = Raw(b"null")
_Values = Mapping[Parameter, object]


def _path(binding: Binding, api: HttpApi, values: _Values) -> str:
    parts = urlsplit(api.base_url)
    base = parts.path if binding.base_path is None else binding.base_path
    own = {each.name: (each, value) for each, value in values.items() if each.location == "path"}

    def written(match: re.Match[str]) -> str:
        if match[1] not in own:
            raise Invalid(
                "the input cannot be sent", errors=[{"field": match[1], "expected": "a value"}]
            )
        return styles.segment(*own[match[1]])

    # Taken apart first, so that no value is looked at for what a template means.
    template = re.split(r"(\{[^{}/]+\})", binding.path.partition("?")[0])
    path = "".join(
        re.sub(r"\{([^{}/]+)\}", written, part)
        if part.startswith("{")
        else quote(part, safe=_PATH_SAFE)
        for part in template
    )
    if own and any(unquote(step) in (".", "..") for step in path.split("/")):
        # Encoded or not, it would be taken for a way out.
        raise Invalid(
            "the input cannot be sent",
            errors=[{"field": each.field, "expected": "no dots alone"} for each, _ in own.values()],
        )
    return f"{parts.scheme}://{parts.netloc}{quote(base, safe=_PATH_SAFE).rstrip('/')}{path}"


def _query(binding: Binding, api: HttpApi, values: _Values) -> str:
    fixed = [binding.path.partition("?")[2], urlsplit(api.base_url).query]
    given = [
        part
        for parameter, value in values.items()
        if parameter.location == "query" and parameter.name not in api.query
        for part in styles.query(parameter, value)
    ]
    own = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in api.query.items()]
    query = "&".join([*filter(None, fixed), *given, *own])
    return f"?{query}" if query else ""


def _headers(made: dict[str, str], api: HttpApi, values: _Values) -> dict[str, str]:
    cookies: list[str] = []
    for parameter, value in values.items():
        if parameter.location == "header":
            made[parameter.name] = styles.header(parameter, value)
        elif parameter.location == "cookie":
            cookies.extend(styles.cookies(parameter, value))
    # What is configured, credentials above all, no input can replace.
    configured = {name.lower() for name in api.headers}
    made = {name: value for name, value in made.items() if name.lower() not in configured}
    # A secret that came out of a file ends in a newline, which no header can hold.
    made.update({name: value.strip() for name, value in api.headers.items()})
    if cookies:
        name = next((name for name in made if name.lower() == "cookie"), "Cookie")
        made[name] = "; ".join(filter(None, [made.get(name, ""), *cookies]))
    return made
