"""Asking the client something in the middle of a call.

In the older era the server sends a request of its own and waits. In the newer one the call ends
with what is asked, and the client calls again with the answers; what was answered in earlier
rounds travels in the state, which the SDK seals.
"""

import json
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from tests.support.mcpserver.things import Json, text

MISSING_CAPABILITY = -32021
REQUESTS: dict[str, Any] = {
    "elicitation/create": (types.ElicitRequest, types.ElicitResult),
    "sampling/createMessage": (types.CreateMessageRequest, types.CreateMessageResult),
    "roots/list": (types.ListRootsRequest, types.ListRootsResult),
}
NEEDS = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}


class Asked(Exception):
    """The call ends here for now: with the question."""

    def __init__(self, result: Json) -> None:
        super().__init__("asked")
        self.result = result


class Turn:
    """One request to the server: who asks, and what was answered before."""

    def __init__(self, ctx: ServerRequestContext[Any, Any], params: Any) -> None:
        self.ctx = ctx
        self.params = params
        self.modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        state = json.loads(params.request_state) if params.request_state else {}
        self.stated = params.request_state is not None
        self._answers: Json = {**state, **_plain(params.input_responses)}

    def declared(self, capability: str) -> bool:
        capabilities = self.ctx.session.client_capabilities
        return capabilities is not None and getattr(capabilities, capability, None) is not None

    def extends(self, extension: str) -> bool:
        capabilities = self.ctx.session.client_capabilities
        return bool(
            capabilities and capabilities.extensions and extension in capabilities.extensions
        )

    def need(self, capability: str) -> None:
        if not self.declared(capability):
            missing = {"requiredCapabilities": {capability: {}}}
            raise MCPError(MISSING_CAPABILITY, f"needs a client with {capability}", missing)

    async def ask(self, requests: dict[str, Json], *, stateful: bool = False) -> Json:
        """The answers by the names of the requests.

        Raises:
            Asked: if they are to come with another call.
        """
        for request in requests.values():
            self.need(NEEDS[request["method"]])
        if not self.modern:
            return {key: await self._send(request) for key, request in requests.items()}
        missing = {
            key: request
            for key, request in requests.items()
            if not answers(request, self._answers.get(key))
        }
        if missing:
            result: Json = {"resultType": "input_required", "inputRequests": missing}
            if stateful or self.stated:
                result["requestState"] = json.dumps(self._answers)
            raise Asked(result)
        return {key: self._answers[key] for key in requests}

    async def _send(self, request: Json) -> Json:
        asking, answering = REQUESTS[request["method"]]
        answer = await self.ctx.session.send_request(
            asking.model_validate(request),
            answering,
            metadata=ServerMessageMetadata(related_request_id=self.ctx.request_id),
        )
        found: Json = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
        return found


def answers(request: Json, answer: object) -> bool:
    """Whether this answers that."""
    if not isinstance(answer, dict):
        return False
    match request["method"]:
        case "elicitation/create":
            required = request["params"]["requestedSchema"].get("required", [])
            given = answer.get("content") or {}
            return answer.get("action") != "accept" or all(key in given for key in required)
        case "sampling/createMessage":
            return "content" in answer
        case _:
            return "roots" in answer


def elicitation(message: str, properties: Json, *required: str) -> Json:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": message, "requestedSchema": schema},
    }


def sampling(prompt: str, tokens: int = 100) -> Json:
    return {
        "method": "sampling/createMessage",
        "params": {"messages": [{"role": "user", "content": text(prompt)}], "maxTokens": tokens},
    }


def roots() -> Json:
    return {"method": "roots/list", "params": {}}


def _plain(responses: Any) -> Json:
    return {
        key: value.model_dump(by_alias=True, mode="json", exclude_none=True)
        if hasattr(value, "model_dump")
        else value
        for key, value in (responses or {}).items()
    }
