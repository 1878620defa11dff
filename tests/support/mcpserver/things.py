"""What the server has: prompts, resources and the bytes in them."""

import json
from typing import Any

Json = dict[str, Any]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
"""One pixel."""
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
"""No sound."""
WATCHED = "test://watched-resource"
TEMPLATE = "test://template/{id}/data"

RESOURCES: list[Json] = [
    {
        "uri": "test://static-text",
        "name": "static-text",
        "description": "A text",
        "mimeType": "text/plain",
    },
    {
        "uri": "test://static-binary",
        "name": "static-binary",
        "description": "A picture",
        "mimeType": "image/png",
    },
    {
        "uri": WATCHED,
        "name": "watched-resource",
        "description": "A text that changes",
        "mimeType": "text/plain",
    },
]
TEMPLATES: list[Json] = [
    {
        "uriTemplate": TEMPLATE,
        "name": "template",
        "description": "Data by its id",
        "mimeType": "application/json",
    }
]


def _argument(name: str, description: str) -> Json:
    return {"name": name, "description": description, "required": True}


PROMPTS: list[Json] = [
    {"name": "test_simple_prompt", "description": "A prompt without arguments"},
    {
        "name": "test_prompt_with_arguments",
        "description": "A prompt that repeats its arguments",
        "arguments": [_argument("arg1", "The first"), _argument("arg2", "The second")],
    },
    {
        "name": "test_prompt_with_embedded_resource",
        "description": "A prompt that holds a resource",
        "arguments": [_argument("resourceUri", "Which")],
    },
    {"name": "test_prompt_with_image", "description": "A prompt that holds a picture"},
    {
        "name": "test_input_required_result_prompt",
        "description": "A prompt that asks for its context first",
    },
]


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def image() -> Json:
    return {"type": "image", "data": PNG, "mimeType": "image/png"}


def embedded(uri: str, words: str, type: str = "text/plain") -> Json:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": type, "text": words}}


def contents(uri: str, touched: int) -> Json | None:
    """What is read at `uri`; None where there is nothing."""
    if uri == "test://static-text":
        words = "This is the content of the static text resource."
        return {"uri": uri, "mimeType": "text/plain", "text": words}
    if uri == "test://static-binary":
        return {"uri": uri, "mimeType": "image/png", "blob": PNG}
    if uri == WATCHED:
        return {"uri": uri, "mimeType": "text/plain", "text": f"Changed {touched} times."}
    before, after = TEMPLATE.split("{id}")
    if uri.startswith(before) and uri.endswith(after):
        id = uri.removeprefix(before).removesuffix(after)
        data = {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}
        return {"uri": uri, "mimeType": "application/json", "text": json.dumps(data)}
    return None


def prompt(name: str, arguments: dict[str, str]) -> list[Json] | None:
    """The contents of a prompt's messages; None where there is no such prompt."""
    match name:
        case "test_simple_prompt":
            return [text("This is a simple prompt for testing.")]
        case "test_prompt_with_arguments":
            first, second = arguments.get("arg1"), arguments.get("arg2")
            return [text(f"Prompt with arguments: arg1='{first}', arg2='{second}'")]
        case "test_prompt_with_embedded_resource":
            uri = arguments.get("resourceUri", "")
            words = "Embedded resource content for testing."
            return [embedded(uri, words), text("Please process the embedded resource above.")]
        case "test_prompt_with_image":
            return [image(), text("Please analyze the image above.")]
        case _:
            return None


def completions(argument: str, value: str) -> list[str]:
    """What an argument of a prompt or of a template may go on as."""
    words = {"arg1": ["paris", "park", "party"], "arg2": ["one", "two"], "id": ["1", "12", "123"]}
    return [word for word in words.get(argument, []) if word.startswith(value)]
