"""Every failure has a name: the codes, and what each one is on every wire.

Raise a `HubError` for what a caller can cause or mend. Anything else that escapes is a bug: it is
logged once at the edge and told to the caller as `EXECUTION_ERROR` without its traceback.

    HubError
      Invalid            VALIDATION_ERROR      the input does not fit; `errors` names the field
      OperationNotFound  OPERATION_NOT_FOUND   no such operation, or none that the caller may see
      NotFound           NOT_FOUND             the thing asked for does not exist
      Conflict           CONFLICT              the state of things forbids it
      Unauthenticated    UNAUTHENTICATED       no key, or one that does not count
      AccessDenied       ACCESS_DENIED         known, but not allowed
      TooLarge           TOO_LARGE             over a limit that the message states
      NoProvider         NO_PROVIDER           the operation is known, and nobody offers it now
      Unavailable        UNAVAILABLE           the provider did not start the call
      Busy               BUSY                  every provider is at its limit until `retryAfterMs`
      RateLimited        RATE_LIMITED          too often until `retryAfterMs`
      TimedOut           TIMEOUT               the deadline passed
      Aborted            ABORTED               ended before an answer; `reason` says by whom
      ExecutionFailed    EXECUTION_ERROR       the handler failed
      Unknown            UNKNOWN_ERROR         the handler failed with something that is no error
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What a code is on the wires that have no room for its name."""

    http: int
    exit: int  # of the command line


MEANINGS: dict[str, Meaning] = {
    "OPERATION_NOT_FOUND": Meaning(http=404, exit=3),
    "ACCESS_DENIED": Meaning(http=403, exit=4),
    "VALIDATION_ERROR": Meaning(http=400, exit=2),
    "TIMEOUT": Meaning(http=504, exit=124),
    "ABORTED": Meaning(http=499, exit=130),
    "EXECUTION_ERROR": Meaning(http=500, exit=1),
    "UNKNOWN_ERROR": Meaning(http=500, exit=1),
    "UNAUTHENTICATED": Meaning(http=401, exit=4),
    "NOT_FOUND": Meaning(http=404, exit=3),
    "CONFLICT": Meaning(http=409, exit=6),
    "TOO_LARGE": Meaning(http=413, exit=2),
    "NO_PROVIDER": Meaning(http=503, exit=5),
    "UNAVAILABLE": Meaning(http=503, exit=5),
    "BUSY": Meaning(http=429, exit=5),
    "RATE_LIMITED": Meaning(http=429, exit=5),
}

# A code that an operation declares itself and for which it names no HTTP status.
DOMAIN_ERROR = Meaning(http=500, exit=1)


def meaning(code: str) -> Meaning:
    """What `code` is on each wire; a domain's own code is a failure of execution."""
    return MEANINGS.get(code, DOMAIN_ERROR)


class HubError(Exception):
    """A failure with a name. `details` carries what a caller needs to act on it."""

    code: ClassVar[str] = "EXECUTION_ERROR"

    def __init__(self, message: str, /, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    @property
    def name(self) -> str:
        """The code on the wire."""
        return self.code


class Invalid(HubError):
    code = "VALIDATION_ERROR"


class OperationNotFound(HubError):
    code = "OPERATION_NOT_FOUND"


class NotFound(HubError):
    code = "NOT_FOUND"


class Conflict(HubError):
    code = "CONFLICT"


class Unauthenticated(HubError):
    code = "UNAUTHENTICATED"


class AccessDenied(HubError):
    code = "ACCESS_DENIED"


class TooLarge(HubError):
    code = "TOO_LARGE"


class NoProvider(HubError):
    code = "NO_PROVIDER"


class Unavailable(HubError):
    code = "UNAVAILABLE"


class Busy(HubError):
    code = "BUSY"


class RateLimited(HubError):
    code = "RATE_LIMITED"


class TimedOut(HubError):
    code = "TIMEOUT"


class Aborted(HubError):
    code = "ABORTED"


class ExecutionFailed(HubError):
    code = "EXECUTION_ERROR"


class Unknown(HubError):
    code = "UNKNOWN_ERROR"


class DomainError(HubError):
    """A code that an operation declared, or that a provider answered with."""

    def __init__(self, name: str, message: str, /, **details: object) -> None:
        super().__init__(message, **details)
        self._name = name

    @property
    def name(self) -> str:
        return self._name


BY_CODE: dict[str, type[HubError]] = {
    kind.code: kind
    for kind in (
        Invalid, OperationNotFound, NotFound, Conflict, Unauthenticated, AccessDenied, TooLarge,
        NoProvider, Unavailable, Busy, RateLimited, TimedOut, Aborted, ExecutionFailed, Unknown,
    )
}  # fmt: skip


def from_wire(code: str, message: str, details: dict[str, object] | None = None) -> HubError:
    """The error that a frame, a response or a record carries."""
    kind = BY_CODE.get(code)
    if kind is None:
        return DomainError(code, message, **(details or {}))
    return kind(message, **(details or {}))
