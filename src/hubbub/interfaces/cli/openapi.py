"""`hubbub openapi`: HTTP APIs behind the hub, as their documents describe them."""

import re
from collections import deque
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import click
from rich.text import Text

from hubbub.client import Hub
from hubbub.interfaces.cli import printing
from hubbub.interfaces.cli.asking import with_hub
from hubbub.interfaces.cli.commands import Group
from hubbub.interfaces.cli.given import secrets_of
from hubbub.interfaces.cli.session import current
from hubbub.kernel.errors import Invalid

READ_S: Final = 120.0
PARTS_MAX: Final = 500
BYTES_MAX: Final = 12 * 1024 * 1024
SHOWN_MAX: Final = 20

# Whatever else a file may be, what is read and sent is only what a document can consist of.
_SUFFIXES: Final = (".json", ".yaml", ".yml")
_REFERENCE: Final = re.compile(r"""\$ref["']?\s*:\s*["']?([^"'#\s,}]+)""")


@click.group(cls=Group)
def openapi() -> None:
    """HTTP APIs behind the hub."""


@openapi.command()
@click.argument("name")
@click.argument("document", metavar="FILE|URL")
@click.option("--base-url", metavar="URL", help="Where the API is, if not where its document says.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=FILE|-",
    help="A secret that the API asks for, from a file or standard input.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Other files that FILE refers to are read below this folder, by default its own.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be imported, and do nothing.")
def add(
    name: str,
    document: str,
    base_url: str | None,
    secrets: tuple[str, ...],
    root: Path | None,
    dry_run: bool,
) -> None:
    """Offer the operations of an HTTP API, from its OpenAPI document.

    Again under the same name, the document takes the place of the older one.

    \b
      hubbub openapi add shop https://shop.example.com/openapi.json --dry-run
      hubbub openapi add shop openapi.yaml --secret API_KEY=key.txt
    """
    wanted: dict[str, Any] = {"name": name, "baseUrl": base_url, **_source(document, root)}
    given = secrets_of(secrets)

    async def work(hub: Hub) -> Any:
        if dry_run:
            return await hub.call("openapi.preview", wanted, timeout_s=READ_S)
        return await hub.call("openapi.import", {**wanted, "secrets": given}, timeout_s=READ_S)

    found = with_hub(work)
    if current().json:
        printing.document(found)
    elif dry_run:
        _preview(found)
    else:
        _tell(name, found)


def _source(document: str, root: Path | None) -> dict[str, Any]:
    if urlsplit(document).scheme in ("http", "https"):
        return {"url": document}
    file = Path(document)
    text = _read(file)
    return {"text": text, "parts": parts(file, text, root or file.parent)}


def parts(file: Path, text: str, root: Path) -> dict[str, str]:
    """The other files of which a document consists, by their paths relative to it.

    Raises:
        Invalid: one of them is not below `root`, or they are too many or too large.
    """
    found: dict[str, str] = {}
    waiting = deque([("", text)])
    size = len(text)
    while waiting:
        place, said = waiting.popleft()
        for reference in _REFERENCE.findall(said):
            path = urljoin(place, reference)
            part = file.parent / path
            if path in found or urlsplit(path).scheme or part.suffix not in _SUFFIXES:
                continue
            if not part.is_file():
                continue  # the hub says what is missing, and where it is wanted
            _require_below(part, root, reference)
            found[path] = _read(part)
            size += len(found[path])
            if len(found) > PARTS_MAX or size > BYTES_MAX:
                raise _invalid(str(file), f"at most {PARTS_MAX} parts and {BYTES_MAX} bytes")
            waiting.append((path, found[path]))
    return found


def _require_below(part: Path, root: Path, reference: str) -> None:
    if not part.resolve().is_relative_to(root.resolve()):
        raise _invalid(reference, f"a file below {root}; --root names another folder")


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(BYTES_MAX + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(str(file), f"a document: {error}") from error
    if len(text) > BYTES_MAX:
        raise _invalid(str(file), f"at most {BYTES_MAX} bytes")
    return text


def _preview(found: dict[str, Any]) -> None:
    console = printing.out()
    line = Text.assemble((found["title"], "bold"), f"  {found['count']} operations")
    line.append(f"  {found['config'].get('baseUrl', '')}", style="dim")
    console.print(line, soft_wrap=True)
    shown = found["operations"][:SHOWN_MAX]
    rows = (
        (Text(each["id"], style="bold"), f"{each['method'].upper()} {each['path']}")
        for each in shown
    )
    console.print(printing.table(("~operation", "~request"), rows))
    if found["count"] > len(shown):
        console.print(Text(f"... and {found['count'] - len(shown)} more", style="dim"))
    _wanted(found["secrets"])
    _warn(found["warnings"])


def _tell(name: str, found: dict[str, Any]) -> None:
    changes = ", ".join(
        f"{len(found[what])} {what}" for what in ("added", "changed", "removed") if found[what]
    )
    line = Text.assemble(("✓ ", "green"), (name, "bold"), f"  {found['count']} operations")
    line.append(f"  {changes or 'as before'}", style="dim")
    printing.out().print(line, soft_wrap=True)
    _wanted(found["missing"])
    _warn(found["warnings"])


def _wanted(secrets: list[dict[str, Any]]) -> None:
    for each in secrets:
        text = f"  It asks for the secret {each['name']}: --secret {each['name']}=FILE"
        printing.err().print(Text(text, style="yellow"), soft_wrap=True)


def _warn(warnings: list[str]) -> None:
    for each in warnings:
        printing.err().print(Text(f"  {each}", style="dim"), soft_wrap=True)


def _invalid(field: str, expected: str) -> Invalid:
    return Invalid("the document cannot be read", errors=[{"field": field, "expected": expected}])
