"""What an API wants to be shown, as references to secrets. No I/O."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hubbub.kernel.errors import Invalid
from hubbub.upstreams.openapi.document import Document, Place

Requirement = dict[str, list[str]]


class Secret(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A secret that has to be given before the API can be used."""

    name: str
    description: str


@dataclass(kw_only=True)
class Credentials:
    """What goes with every request."""

    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    secrets: list[Secret] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Schemes that are of no kind known here."""

    def gives(self, location: str, name: str) -> bool:
        """Whether a parameter of this name is among them."""
        if location == "header":
            return name.lower() in {each.lower() for each in self.headers}
        return (location == "query" and name in self.query) or (
            location == "cookie" and name in self.cookies
        )


def credentials_of(document: Document, requirements: Iterable[list[Requirement]]) -> Credentials:
    """What most operations want of those who show something.

    Args:
        requirements: of each operation, of which one alternative is enough.
    """
    counted = Counter(
        frozenset(alternative)
        for alternatives in requirements
        for alternative in [next(filter(None, alternatives), {})]
        if alternative
    )
    made = Credentials()
    if counted:
        (chosen, _), *_ = sorted(counted.items(), key=lambda each: (-each[1], sorted(each[0])))
        for name in sorted(chosen):
            _add(made, document, name)
    return made


def requirements_of(place: Place) -> list[Requirement]:
    """What stands under `security`."""
    return [
        {str(name): _texts(scopes) for name, scopes in each.fields.items()}
        for _, each in place.each("security")
    ]


def _add(made: Credentials, document: Document, name: str) -> None:
    try:
        scheme = document.found(document.root.at("components", "securitySchemes", name)).fields
    except Invalid:
        scheme = {}
    secret = re.sub(r"[^A-Z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper())
    secret = f"S_{secret}" if not secret[:1].isalpha() else secret
    reference = f"${{secret:{secret}}}"
    match scheme:
        case {"type": "http", "scheme": str(kind)} if kind.lower() == "basic":
            what = "`user:password` in base64"
            made.headers["Authorization"] = f"Basic {reference}"
        case {"type": "http", "scheme": str(kind)} if kind.lower() == "bearer":
            what = "a token"
            made.headers["Authorization"] = f"Bearer {reference}"
        case {"type": "http", "scheme": str(kind)} if re.fullmatch(r"[A-Za-z0-9-]{1,40}", kind):
            what = f"what comes after `{kind}` in the header Authorization"
            made.headers["Authorization"] = f"{kind} {reference}"
        case {"type": "oauth2" | "openIdConnect"}:
            what = "an access token"
            made.headers["Authorization"] = f"Bearer {reference}"
        case {"type": "apiKey", "in": "header", "name": str(header)} if is_token(header):
            what = f"the key that goes into the header {header}"
            made.headers[header] = reference
        case {"type": "apiKey", "in": "query", "name": str(parameter)}:
            what = f"the key that goes into the query as {parameter}"
            made.query[parameter] = reference
        case {"type": "apiKey", "in": "cookie", "name": str(cookie)} if is_token(cookie):
            what = f"the value of the cookie {cookie}"
            made.cookies[cookie] = reference
            made.headers["Cookie"] = "; ".join(f"{n}={v}" for n, v in made.cookies.items())
        case _:
            made.unknown.append(name)
            return
    described = scheme.get("description")
    more = f": {described[:300]}" if isinstance(described, str) and described else ""
    made.secrets.append(Secret(name=secret, description=what + more))


def is_token(name: str) -> bool:
    """Whether a header or a cookie can have this name."""
    return re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", name) is not None


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
