"""The tools that ask the client something."""

import json

from tests.support.mcpserver.asking import Turn, elicitation, roots, sampling
from tests.support.mcpserver.things import Json, text
from tests.support.mcpserver.tools import STRING, Tool, said, schema

NAME = elicitation("What is your name?", {"name": STRING}, "name")
CONFIRM = elicitation("Please confirm", {"ok": {"type": "boolean"}}, "ok")

DEFAULTS: Json = {
    "name": {"type": "string", "description": "User name", "default": "John Doe"},
    "age": {"type": "integer", "description": "User age", "default": 30},
    "score": {"type": "number", "description": "User score", "default": 95.5},
    "status": {
        "type": "string",
        "description": "User status",
        "enum": ["active", "inactive", "pending"],
        "default": "active",
    },
    "verified": {"type": "boolean", "description": "Verification status", "default": True},
}
OPTIONS = ["option1", "option2", "option3"]


def _titled(*titles: str) -> list[Json]:
    return [{"const": f"value{n}", "title": title} for n, title in enumerate(titles, 1)]


ENUMS: Json = {
    "untitledSingle": {"type": "string", "enum": OPTIONS},
    "titledSingle": {
        "type": "string",
        "oneOf": _titled("First Option", "Second Option", "Third Option"),
    },
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    "titledMulti": {
        "type": "array",
        "items": {"anyOf": _titled("First Choice", "Second Choice", "Third Choice")},
    },
}


def _name(answer: Json) -> object:
    return (answer.get("content") or {}).get("name")


def _completed(words: str, answer: Json) -> Json:
    content = json.dumps(answer.get("content") or {})
    return said(text(f"{words}: action={answer['action']}, content={content}"))


async def sample(turn: Turn, arguments: Json) -> Json:
    answer = await turn.ask({"sample": sampling(str(arguments.get("prompt", "")))})
    return said(text(f"LLM response: {answer['sample']['content']['text']}"))


async def elicit(turn: Turn, arguments: Json) -> Json:
    properties = {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    }
    asked = elicitation(str(arguments.get("message", "")), properties, "username", "email")
    return _completed("User response", (await turn.ask({"user": asked}))["user"])


async def defaults(turn: Turn, arguments: Json) -> Json:
    asked = elicitation("Please review the defaults", DEFAULTS)
    return _completed("Elicitation completed", (await turn.ask({"form": asked}))["form"])


async def enums(turn: Turn, arguments: Json) -> Json:
    asked = elicitation("Please choose", ENUMS)
    return _completed("Elicitation completed", (await turn.ask({"form": asked}))["form"])


async def name(turn: Turn, arguments: Json) -> Json:
    answer = await turn.ask({"user_name": NAME})
    return said(text(f"Hello, {_name(answer['user_name'])}!"))


async def capital(turn: Turn, arguments: Json) -> Json:
    answer = await turn.ask({"capital_question": sampling("What is the capital of France?")})
    return said(text(answer["capital_question"]["content"]["text"]))


async def rooted(turn: Turn, arguments: Json) -> Json:
    answer = await turn.ask({"client_roots": roots()})
    return said(text(json.dumps(answer["client_roots"]["roots"])))


async def stated(turn: Turn, arguments: Json) -> Json:
    await turn.ask({"confirm": CONFIRM}, stateful=True)
    return said(text("state-ok" if turn.stated or not turn.modern else "the state was lost"))


async def several(turn: Turn, arguments: Json) -> Json:
    asked = {
        "user_name": NAME,
        "greeting": sampling("Generate a greeting", 50),
        "client_roots": roots(),
    }
    return said(text(json.dumps(await turn.ask(asked, stateful=True))))


async def rounds(turn: Turn, arguments: Json) -> Json:
    first = elicitation("Step 1: What is your name?", {"name": STRING}, "name")
    second = elicitation("Step 2: What is your favorite color?", {"color": STRING}, "color")
    step1 = (await turn.ask({"step1": first}, stateful=True))["step1"]
    step2 = (await turn.ask({"step2": second}, stateful=True))["step2"]
    color = (step2.get("content") or {}).get("color")
    return said(text(f"{_name(step1)} likes {color}"))


async def capable(turn: Turn, arguments: Json) -> Json:
    """Asks only what the client can answer."""
    known = {"user_name": NAME, "greeting": sampling("Generate a greeting", 50)}
    can = {"user_name": "elicitation", "greeting": "sampling"}
    asked = {key: request for key, request in known.items() if turn.declared(can[key])}
    return said(text(json.dumps(await turn.ask(asked))))


ASKING: dict[str, Tool] = {
    "test_sampling": Tool(
        description="Asks the client's model", use=sample, schema=schema("prompt", prompt=STRING)
    ),
    "test_elicitation": Tool(
        description="Asks the user", use=elicit, schema=schema("message", message=STRING)
    ),
    "test_elicitation_sep1034_defaults": Tool(
        description="Asks for a form with defaults", use=defaults
    ),
    "test_elicitation_sep1330_enums": Tool(description="Asks to choose", use=enums),
    "test_input_required_result_elicitation": Tool(description="Asks for a name", use=name),
    "test_input_required_result_sampling": Tool(description="Asks for a capital", use=capital),
    "test_input_required_result_list_roots": Tool(description="Asks for roots", use=rooted),
    "test_input_required_result_request_state": Tool(description="Keeps a state", use=stated),
    "test_input_required_result_multiple_inputs": Tool(description="Asks for three", use=several),
    "test_input_required_result_multi_round": Tool(description="Asks twice", use=rounds),
    "test_input_required_result_tampered_state": Tool(description="Seals a state", use=stated),
    "test_input_required_result_capabilities": Tool(
        description="Asks only what can be answered", use=capable
    ),
    "test_tool_with_task": Tool(
        description="Asks for a name, then goes on by itself",
        use=name,
        task=True,
        task_only=True,
    ),
}
