"""The page to which an authorization server sends a person back."""

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hubbub.kernel.errors import HubError, meaning
from hubbub.upstreams.oauth.authorizations import Authorizations
from hubbub.upstreams.oauth.visit import Arrival

PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hubbub</title>
<p>{}</p>
</html>
"""
# Its address is as good as a key for a moment, so it is handed on to nobody.
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Callback:
    """Takes those in who come back."""

    def __init__(self, authorizations: Authorizations) -> None:
        self._authorizations = authorizations

    async def arrived(self, request: Request) -> Response:
        """Only who was sent on the way knows the state, so no key is asked for."""
        said = request.query_params
        arrival = None
        if "code" in said and "error" not in said:
            arrival = Arrival(code=said["code"], state=said.get("state", ""), iss=said.get("iss"))
        refusal = " ".join(filter(None, (said.get("error"), said.get("error_description"))))
        try:
            client = await self._authorizations.arrived(
                said.get("state", ""), arrival, refusal[:200]
            )
        except HubError as error:
            return _page(f"This did not work: {error.message}.", meaning(error.name).http)
        return _page(f"Hubbub may use {client.name} now. You can close this page.", 200)


def _page(text: str, status: int) -> Response:
    return HTMLResponse(PAGE.format(escape(text)), status, headers=HEADERS)
