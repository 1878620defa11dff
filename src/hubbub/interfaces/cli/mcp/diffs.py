"""What a change does to a text, line by line. No I/O."""

from difflib import unified_diff

from rich.text import Text

LINES_AROUND = 2
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def of(before: str, after: str, name: str) -> list[str]:
    lines = unified_diff(
        before.splitlines(), after.splitlines(), name, name, n=LINES_AROUND, lineterm=""
    )
    return list(lines)


def coloured(lines: list[str]) -> Text:
    text = Text()
    for line in lines:
        text.append(line + "\n", style=_COLOURS.get(line[:1], "dim"))
    return text
