"""The two sides that dial a hub: `Hub` calls operations, `Spoke` offers them."""

from hubbub.client.backoff import Backoff
from hubbub.client.caller import Call, Caller, Mode
from hubbub.client.context import CallContext, Identity
from hubbub.client.hub import Hub
from hubbub.client.memory import MemoryTransport, pair
from hubbub.client.pending import Answer, Progress
from hubbub.client.spoke import Spoke
from hubbub.client.transport import Closed, Transport
from hubbub.kernel.errors import (
    Aborted,
    AccessDenied,
    Busy,
    Conflict,
    DomainError,
    ExecutionFailed,
    HubError,
    Invalid,
    NoProvider,
    NotFound,
    OperationNotFound,
    RateLimited,
    TimedOut,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unknown,
)
from hubbub.protocol.specs import ErrorDefinition, RegistrationResult

__all__ = [
    "Aborted",
    "AccessDenied",
    "Answer",
    "Backoff",
    "Busy",
    "Call",
    "CallContext",
    "Caller",
    "Closed",
    "Conflict",
    "DomainError",
    "ErrorDefinition",
    "ExecutionFailed",
    "Hub",
    "HubError",
    "Identity",
    "Invalid",
    "MemoryTransport",
    "Mode",
    "NoProvider",
    "NotFound",
    "OperationNotFound",
    "Progress",
    "RateLimited",
    "RegistrationResult",
    "Spoke",
    "TimedOut",
    "TooLarge",
    "Transport",
    "Unauthenticated",
    "Unavailable",
    "Unknown",
    "pair",
]
