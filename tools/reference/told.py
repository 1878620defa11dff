"""What docstrings below fields say, which stay with the source."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import hubbub

SOURCE: Final = Path(hubbub.__file__).parent


def of_fields() -> dict[str, dict[str, str]]:
    """What the docstrings below the fields of all classes say, by class and by published name."""
    if not _told:
        for path in sorted(SOURCE.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    fields = {_camel(name): text for name, text in _docs_below(node)}
                    _told[node.name] = {**_inherited(node), **_told.get(node.name, {}), **fields}
    return _told


_told: dict[str, dict[str, str]] = {}


def _inherited(node: ast.ClassDef) -> dict[str, str]:
    names = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return {field: text for name in names for field, text in _told.get(name, {}).items()}


def below_fields(kind: type) -> dict[str, str]:
    tree = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(tree, ast.ClassDef)
    return dict(_docs_below(tree))


def _docs_below(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(
                value=ast.Constant(value=str(text))
            ):
                yield name, " ".join(text.split())


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
