"""A login: begun with a URL for a person to visit, ended with where that person was sent."""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import msgspec

from hubbub.kernel.errors import Conflict, Invalid, Unavailable
from hubbub.protocol.codec import encode
from hubbub.services.model import OAuth
from hubbub.upstreams.oauth.challenge import Challenge
from hubbub.upstreams.oauth.discovery import S256, issuer, resource
from hubbub.upstreams.oauth.model import NONE, Begun, Issuer, Known, Login, Resource
from hubbub.upstreams.oauth.web import Web

OFFLINE: Final = "offline_access"
REFRESH: Final = "refresh_token"
BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"


class _Registration(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str
    client_secret: str | None = None
    token_endpoint_auth_method: str | None = None


class _Tokens(msgspec.Struct, frozen=True, kw_only=True):
    access_token: str
    refresh_token: str | None = None
    expires_in: float | None = None
    scope: str | None = None


async def begun(
    web: Web,
    url: str,
    config: OAuth,
    challenge: Challenge,
    before: Login | None,
    redirect_uri: str,
) -> Begun:
    """Find out who lets in to the server at `url`, and what to ask there.

    Raises:
        Unavailable: that cannot be found out, or the hub is not known there and cannot be.
        Conflict: all that is asked for was granted, and is not enough.
    """
    protected = await resource(web, url, challenge.metadata)
    server = await issuer(web, protected.authorization_servers[0])
    same = before if before is not None and before.known.issuer == server.issuer else None
    scopes = _scopes(config, challenge, protected, server, same)
    known = await _known(web, config, server, same, redirect_uri)
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": known.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": S256,
        "resource": protected.resource,
        **({"scope": " ".join(scopes)} if scopes else {}),
    }
    joint = "&" if urlsplit(server.authorization_endpoint).query else "?"
    return Begun(
        url=f"{server.authorization_endpoint}{joint}{urlencode(asked, quote_via=quote)}",
        state=state,
        verifier=verifier,
        redirect_uri=redirect_uri,
        resource=protected.resource,
        scopes=scopes,
        known=known,
        issuer=server,
    )


async def finished(web: Web, login: Begun, redirected: str, now_s: float) -> Login:
    """The tokens for the code with which a person was sent back.

    Raises:
        Invalid: that is no answer to what was asked.
        Unavailable: the authorization server refuses.
    """
    told = {key: values[0] for key, values in parse_qs(urlsplit(redirected).query).items()}
    _check_issuer(login.issuer, told.get("iss"))
    if "error" in told:
        raise Unavailable(f"{login.known.issuer} refuses: {told['error'][:200]}")
    if "code" not in told:
        raise _invalid("an address with a code in it")
    form = {
        "grant_type": "authorization_code",
        "code": told["code"],
        "redirect_uri": login.redirect_uri,
        "code_verifier": login.verifier,
        "resource": login.resource,
    }
    tokens = await _tokens(web, login.known, login.issuer.token_endpoint, form)
    return _login(
        login.known, login.resource, login.issuer.token_endpoint, login.scopes, tokens, now_s
    )


async def renewed(web: Web, login: Login, now_s: float) -> Login:
    """The login with a new token, for which no person is needed.

    Raises:
        Unavailable: it cannot be renewed.
    """
    if login.refresh_token is None:
        raise Unavailable(f"the login at {login.known.issuer} has ended")
    form = {
        "grant_type": REFRESH,
        "refresh_token": login.refresh_token,
        "resource": login.resource,
    }
    tokens = await _tokens(web, login.known, login.token_endpoint, form)
    if tokens.refresh_token is None:
        tokens = msgspec.structs.replace(tokens, refresh_token=login.refresh_token)
    return _login(login.known, login.resource, login.token_endpoint, login.scopes, tokens, now_s)


def state_of(redirected: str) -> str:
    """Which login a person was sent back from.

    Raises:
        Invalid: if that is not said.
    """
    found = parse_qs(urlsplit(redirected).query).get("state")
    if not found:
        raise _invalid("the address to which the browser was sent, with its state")
    return found[0]


def _scopes(
    config: OAuth,
    challenge: Challenge,
    protected: Resource,
    server: Issuer,
    before: Login | None,
) -> tuple[str, ...]:
    """What to ask for: what is wanted now, and what was granted before."""
    granted = () if before is None else before.scopes
    if challenge.insufficient and challenge.scopes and set(challenge.scopes) <= set(granted):
        raise Conflict(
            "the server refuses what its authorization server has granted",
            scopes=list(challenge.scopes),
        )
    wanted = config.scopes or challenge.scopes or protected.scopes_supported
    if challenge.insufficient:
        wanted = (*granted, *wanted)
    lasting = OFFLINE in server.scopes_supported and REFRESH in server.grant_types_supported
    return _once((*wanted, *((OFFLINE,) if lasting else ())))


async def _known(
    web: Web, config: OAuth, server: Issuer, before: Login | None, redirect_uri: str
) -> Known:
    """As whom to come: as who was agreed on, who can be looked up, who came before, or anew."""
    if config.client_id is not None:
        secret = config.client_secret
        method = NONE if secret is None else _method(server, secret)
        return Known(
            issuer=server.issuer, client_id=config.client_id, client_secret=secret, method=method
        )
    if server.client_id_metadata_document_supported and config.metadata_url is not None:
        return Known(issuer=server.issuer, client_id=config.metadata_url)
    if before is not None:
        return before.known
    if server.registration_endpoint is None:
        raise Unavailable(
            f"{server.issuer} knows no hub: its config needs oauth.clientId", issuer=server.issuer
        )
    return await _registered(web, server, server.registration_endpoint, redirect_uri)


async def _registered(web: Web, server: Issuer, endpoint: str, redirect_uri: str) -> Known:
    grants = ("authorization_code", REFRESH)
    wanted = {
        "client_name": "Hubbub",
        "redirect_uris": [redirect_uri],
        "grant_types": [each for each in grants if each in server.grant_types_supported],
        "response_types": ["code"],
        "token_endpoint_auth_method": _method(server, None),
        "application_type": "native",
    }
    status, body = await web.registered(endpoint, encode(wanted))
    try:
        if status not in (200, 201):
            raise ValueError(f"it answered {status}")
        found = msgspec.json.decode(body, type=_Registration)
    except (ValueError, msgspec.DecodeError) as error:
        raise Unavailable(
            f"{server.issuer} does not register the hub: {error}", issuer=server.issuer
        ) from error
    secret = found.client_secret
    method = found.token_endpoint_auth_method or _method(server, secret)
    return Known(
        issuer=server.issuer, client_id=found.client_id, client_secret=secret, method=method
    )


def _method(server: Issuer, secret: str | None) -> str:
    """How to say who the hub is: the best way that the server takes."""
    known = server.token_endpoint_auth_methods_supported
    if secret is None and NONE in known:
        return NONE
    return next((each for each in (BASIC, POST, NONE) if each in known), BASIC)


async def _tokens(web: Web, known: Known, endpoint: str, form: Mapping[str, str]) -> _Tokens:
    headers: dict[str, str] = {}
    more: dict[str, str] = {}
    if known.method == BASIC and known.client_secret is not None:
        pair = f"{quote(known.client_id, safe='')}:{quote(known.client_secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        more["client_id"] = known.client_id
        if known.method == POST and known.client_secret is not None:
            more["client_secret"] = known.client_secret
    status, body = await web.posted(endpoint, form={**form, **more}, headers=headers)
    try:
        if status != 200:
            raise ValueError(f"it answered {status}")
        return msgspec.json.decode(body, type=_Tokens)
    except (ValueError, msgspec.DecodeError) as error:
        raise Unavailable(f"{known.issuer} gives no token: {error}", issuer=known.issuer) from error


def _login(
    known: Known,
    resource: str,
    endpoint: str,
    scopes: tuple[str, ...],
    tokens: _Tokens,
    now_s: float,
) -> Login:
    return Login(
        known=known,
        resource=resource,
        token_endpoint=endpoint,
        scopes=_once((*scopes, *(tokens.scope or "").split())),
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        expires_at=None if tokens.expires_in is None else now_s + tokens.expires_in,
    )


def _check_issuer(server: Issuer, told: str | None) -> None:
    """See that the answer comes from whom it was asked for (RFC 9207)."""
    if told is None and not server.authorization_response_iss_parameter_supported:
        return
    if told != server.issuer:
        raise _invalid("an answer of the authorization server that was asked")


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _invalid(expected: str) -> Invalid:
    return Invalid(
        "that does not end the login", errors=[{"field": "redirected", "expected": expected}]
    )
