"""A failure as HTTP tells it: one body, under the status of its code."""

from typing import Final

from starlette.responses import Response

from hubbub.kernel.errors import MEANINGS, DomainError, HubError, meaning
from hubbub.protocol.codec import encode
from hubbub.protocol.specs import OperationSpec

RETRY_MS_MAX: Final = 24 * 3600 * 1000
"""A provider may say more, and be wrong."""


def error_body(error: HubError) -> dict[str, dict[str, object]]:
    """An error as every JSON answer has it."""
    return {"error": {"code": error.name, "message": error.message, "details": dict(error.details)}}


def error_response(error: HubError, spec: OperationSpec | None = None) -> Response:
    """The answer that an error makes; `spec` is of the operation that failed with it."""
    headers = {}
    retry_ms = error.details.get("retryAfterMs")
    if isinstance(retry_ms, int) and 0 <= retry_ms <= RETRY_MS_MAX:
        headers["Retry-After"] = str(-(-retry_ms // 1000))
    if error.name == "UNAUTHENTICATED":
        headers["WWW-Authenticate"] = 'Bearer realm="hubbub"'
    body = encode(error_body(error))
    return Response(body, _status(error, spec), headers, "application/json")


def _status(error: HubError, spec: OperationSpec | None) -> int:
    # What an imported API answered with counts where its operation declares nothing.
    answered = error.details.get("httpStatus")
    own = isinstance(error, DomainError) and _declared(error.name, spec) is None
    if own and isinstance(answered, int) and 400 <= answered <= 599:
        return answered
    return http_status(error.name, spec)


def http_status(code: str, spec: OperationSpec | None) -> int:
    """The status of a code; of one that is the operation's own, the status that it declares."""
    return _declared(code, spec) or meaning(code).http


def _declared(code: str, spec: OperationSpec | None) -> int | None:
    if spec is None or code in MEANINGS:
        return None
    statuses = (error.http_status for error in spec.error_schemas if error.code == code)
    return next((each for each in statuses if each is not None and 400 <= each <= 599), None)
