"""Print the sizes of functions, classes and files, beside those of codebases worth matching.

    tools/shape.py [FOLDER...]      src/hubbub unless told otherwise

To be read, not enforced: what separates admired code from the rest is not the middle but
the tail, so it ends with the ten longest of each. How things are counted:

    body        lines of a function from its first statement to its last, without the
                docstring; functions inside it count, and are counted again themselves
    branches    1, and 1 for each if, for, while, except and case (that is not the bare
                "_"); those of functions inside it are not counted
    parameters  all of them but self and cls
    class       lines from "class" to its last statement, without the docstring
    file        lines
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef

ROOT = Path(__file__).resolve().parents[1]

KINDS = ("body", "branches", "parameters", "class", "file")
LONGEST = {"body": "functions", "class": "classes", "file": "files"}

# Median, 90th percentile and largest of each kind, measured with this file on the
# published packages without their tests.
PEERS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "starlette 1.10": ((3, 20, 203), (1, 5, 15), (1, 3, 13), (16, 123, 316), (152, 616, 772)),
    "httpx 0.28": ((5, 22, 128), (1, 5, 16), (1, 4, 19), (13, 166, 669), (248, 641, 2019)),
    "anyio 4.16": ((2, 16, 119), (1, 4, 17), (1, 3, 16), (25, 123, 710), (205, 780, 3300)),
    "trio 0.35": ((4, 26, 239), (1, 3, 34), (0, 2, 10), (5, 119, 609), (185, 776, 3139)),
    "procrastinate 3.10": ((5, 20, 120), (1, 4, 8), (1, 3, 16), (8, 144, 1012), (17, 279, 1042)),
    "mcp 2.3": ((5, 31, 188), (1, 6, 23), (1, 4, 25), (11, 154, 1215), (119, 595, 1506)),
}
# The most that our own need, as a rule.
AIM = {"body": 60, "branches": 8, "parameters": 6, "class": 200, "file": 400}


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number, and where it was taken."""

    kind: str
    size: int
    where: str


def measure(folder: Path) -> Iterator[Measure]:
    """Every measure of every Python file below `folder`."""
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(folder).as_posix()
        yield Measure(kind="file", size=len(text.splitlines()), where=name)
        for node, qualified in definitions(parsed(text)):
            where = f"{name}:{node.lineno} {qualified}"
            for kind, size in sizes(node).items():
                yield Measure(kind=kind, size=size, where=where)


def parsed(text: str) -> ast.AST:
    """The tree of a file; an empty one if it is half written, for a look must not fail."""
    try:
        return ast.parse(text)
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def sizes(node: Definition) -> dict[str, int]:
    if isinstance(node, ast.ClassDef):
        return {"class": class_lines(node)}
    return {
        "body": body_lines(node),
        "branches": branches(node),
        "parameters": parameters(node),
    }


def definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[Definition, str]]:
    """Every function and class, with its qualified name, in the order of the file."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            yield node, prefix + node.name
            yield from definitions(node, f"{prefix}{node.name}.")
        else:
            yield from definitions(node, prefix)


def body_lines(function: Function) -> int:
    statements = without_docstring(function)
    return span(statements[0], statements[-1]) if statements else 0


def class_lines(cls: ast.ClassDef) -> int:
    first = cls.body[0]
    docstring = span(first, first) if len(without_docstring(cls)) < len(cls.body) else 0
    return span(cls, cls) - docstring


def without_docstring(node: Definition) -> list[ast.stmt]:
    match node.body[0]:
        case ast.Expr(value=ast.Constant(value=str())):
            return node.body[1:]
        case _:
            return node.body


def span(first: ast.stmt, last: ast.stmt) -> int:
    """The number of lines from one statement to another, which know their ends once parsed."""
    return (last.end_lineno or last.lineno) - first.lineno + 1


def branches(function: Function) -> int:
    return 1 + sum(is_branch(node) for node in inside(function))


def inside(node: ast.AST) -> Iterator[ast.AST]:
    """What a function does itself, without the functions and classes that it defines."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Definition | ast.Lambda):
            yield child
            yield from inside(child)


def is_branch(node: ast.AST) -> bool:
    match node:
        case ast.If() | ast.For() | ast.AsyncFor() | ast.While() | ast.ExceptHandler():
            return True
        case ast.match_case(pattern=ast.MatchAs(name=None)):
            return False
        case ast.match_case():
            return True
        case _:
            return False


def parameters(function: Function) -> int:
    given = function.args
    names = [arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    stars = (given.vararg is not None) + (given.kwarg is not None)
    return len(names) - (names[:1] in (["self"], ["cls"])) + stars


def spread(measures: Iterable[Measure], kind: str) -> tuple[int, int, int]:
    """The median, the 90th percentile and the largest; noughts if there is nothing."""
    found = sorted(measure.size for measure in measures if measure.kind == kind) or [0]
    return found[len(found) // 2], found[len(found) * 9 // 10], found[-1]


def row(name: str, spreads: Iterable[tuple[int, int, int]]) -> str:
    cells = (f"{median:,} / {p90:,} / {largest:,}" for median, p90, largest in spreads)
    return f"{name:<22}" + "".join(f"{cell:>20}" for cell in cells)


def longest(measures: Iterable[Measure], kind: str, count: int = 10) -> list[Measure]:
    mine = (measure for measure in measures if measure.kind == kind)
    return sorted(mine, key=lambda measure: (-measure.size, measure.where))[:count]


def report(folders: Iterable[Path]) -> Iterator[str]:
    yield f"{'median / p90 / largest':<22}" + "".join(f"{kind:>20}" for kind in KINDS)
    for name, spreads in PEERS.items():
        yield row(name, spreads)
    yield f"{'look again above':<22}" + "".join(f"{AIM[kind]:>20,}" for kind in KINDS)
    for folder in folders:
        measures = list(measure(folder))
        yield row(folder.name, (spread(measures, kind) for kind in KINDS))
        for kind, plural in LONGEST.items():
            yield f"\nThe longest {plural} of {folder.name}"
            yield from (f"{found.size:>7,}  {found.where}" for found in longest(measures, kind))


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:]]
    for line in report(folders or [ROOT / "src" / "hubbub"]):
        print(line)
