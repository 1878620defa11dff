"""An MCP server that is a command, in as little as it takes: `python echo.py [ERA]`.

It needs nothing but Python, so that it starts at once. What it does when it is called is the name
of the tool.
"""

import json
import os
import subprocess
import sys
import time

ERA = sys.argv[1] if len(sys.argv) > 1 else "legacy"
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}}
EXTRA = [json.loads(each) for each in os.environ.get("TOOLS", "").splitlines()]
TOOLS = [
    {"name": "echo", "description": "Say it again", "inputSchema": TEXT, "title": "Echo"},
    {"name": "add.numbers", "description": "A name with a dot", "inputSchema": NUMBER},
    {"name": "progress", "description": "Three steps", "inputSchema": NUMBER},
    {"name": "ask", "description": "Asks for a name", "inputSchema": NUMBER},
    {"name": "log", "description": "Logs a line", "inputSchema": NUMBER},
    {"name": "wait", "description": "Never answers", "inputSchema": NUMBER},
    {"name": "die", "description": "Ends the server", "inputSchema": NUMBER},
    {"name": "late", "description": "Answers after n seconds", "inputSchema": NUMBER},
    {"name": "big", "description": "Answers with n bytes", "inputSchema": NUMBER},
    {"name": "env", "description": "What its environment says", "inputSchema": TEXT},
    {"name": "fail", "description": "Answers with an error", "inputSchema": NUMBER},
    {"name": "grow", "description": "Gets another tool", "inputSchema": NUMBER},
    {"name": "child", "description": "Starts a child that stays", "inputSchema": NUMBER},
    *EXTRA,
    *({"name": f"tool{n}", "inputSchema": TEXT} for n in range(int(os.environ.get("MANY", "0")))),
]
PAGE = int(os.environ.get("PAGE", "5"))
ids = iter(range(1, 1000))
cancelled: list[object] = []


def send(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def receive() -> dict:
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def text(value: object) -> dict:
    return {"content": [{"type": "text", "text": str(value)}]}


def call(id: object, params: dict) -> dict | None:  # noqa: C901  # one case for each tool
    name, arguments = params["name"], params.get("arguments") or {}
    meta = params.get("_meta") or {}
    match name:
        case "echo":
            return {**text(arguments["text"]), "structuredContent": {"said": arguments["text"]}}
        case "add.numbers":
            return text(arguments.get("n", 0) + 1)
        case "progress":
            for n in (1, 2, 3):
                told = {"progressToken": meta.get("progressToken"), "progress": n, "total": 3}
                send({"method": "notifications/progress", "params": told})
            return text("done")
        case "ask":
            return ask(params, meta)
        case "log":
            line = {"level": "info", "data": "a line"}
            send({"method": "notifications/message", "params": line})
            print("to the operator", file=sys.stderr, flush=True)
            return text("logged")
        case "wait":
            return None
        case "late":
            time.sleep(arguments["n"])
            return text("at last")
        case "die":
            os._exit(3)
        case "big":
            return text("x" * arguments["n"])
        case "env":
            return text(os.environ.get(arguments["text"]))
        case "grow":
            TOOLS.append({"name": f"grown{len(TOOLS)}", "inputSchema": NUMBER})
            send({"method": "notifications/tools/list_changed"})
            return text("grown")
        case "child":
            return text(subprocess.Popen(["sleep", "600"]).pid)
        case _:
            raise ValueError(name)


def ask(params: dict, meta: dict) -> dict:
    question = {
        "message": "Who?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    if ERA == "modern":
        given = params.get("inputResponses")
        if given is None:
            asked = {"who": {"method": "elicitation/create", "params": question}}
            return {"resultType": "input_required", "inputRequests": asked, "requestState": "s1"}
        assert params["requestState"] == "s1"
        return text(f"{given['who']['action']} {given['who'].get('content')}")
    id = f"q{next(ids)}"
    send({"id": id, "method": "elicitation/create", "params": question})
    while True:
        message = receive()
        if message.get("id") == id:
            given = message.get("result") or message["error"]
            return text(f"{given.get('action')} {given.get('content')}")


def answer(message: dict) -> None:
    id, method, params = message["id"], message["method"], message.get("params", {})
    version = "io.modelcontextprotocol/protocolVersion"
    if ERA == "modern" and version not in params.get("_meta", {}):
        return refuse(id, -32600, "where is the version")
    capabilities = {"tools": {"listChanged": True}, "logging": {}}
    match method:
        case "initialize" if ERA == "legacy":
            result = {
                "protocolVersion": "2025-11-25",
                "capabilities": capabilities,
                "serverInfo": {"name": "echo", "version": "1"},
            }
        case "server/discover" if ERA == "modern":
            result = {"supportedVersions": ["2026-07-28"], "capabilities": capabilities}
        case "tools/list":
            start = int(params.get("cursor", 0))
            result = {"tools": TOOLS[start : start + PAGE]}
            if start + PAGE < len(TOOLS):
                result["nextCursor"] = str(start + PAGE)
        case "tools/call":
            try:
                result = call(id, params)
            except ValueError as error:
                return refuse(id, -32602, f"no tool {error}")
            if result is None:
                return None
        case "subscriptions/listen":
            return None
        case _:
            return refuse(id, -32601, f"no method {method}")
    if ERA == "modern":
        result.setdefault("resultType", "complete")
    return send({"id": id, "result": result})


def refuse(id: object, code: int, message: str) -> None:
    send({"id": id, "error": {"code": code, "message": message}})


if ERA == "slow":
    ERA = "legacy"
    time.sleep(float(sys.argv[2]))
while True:
    got = receive()
    if "id" in got and "method" in got:
        answer(got)
    elif got.get("method") == "notifications/cancelled":
        print(f"cancelled {got['params']['requestId']}", file=sys.stderr, flush=True)
