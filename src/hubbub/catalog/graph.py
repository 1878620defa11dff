"""Which outputs fit which inputs. No I/O."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hubbub.protocol.specs import OperationSpec

DEPTH_MAX = 32


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether a value of one schema may be given where the other is asked for."""

    compatible: bool
    mismatches: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The output of `source` against the input of `target`."""

    source: str
    target: str
    fit: Fit


def edges(source: OperationSpec, targets: Iterable[OperationSpec]) -> Iterator[Edge]:
    """An edge to every other whose input and this one's output say enough to be compared."""
    for target in targets:
        if source is target:
            continue
        fit = fits(source.output_schema, target.input_schema)
        if fit is not None:
            yield Edge(source=source.id, target=target.id, fit=fit)


def fits(output: Any, wanted: Any) -> Fit | None:
    """Whether a value of `output` is one of `wanted`; None where either says nothing."""
    if _says_nothing(output) or _says_nothing(wanted):
        return None
    mismatches = tuple(_Comparison(output, wanted).mismatches())
    return Fit(compatible=not mismatches, mismatches=mismatches)


def _says_nothing(schema: Any) -> bool:
    return (
        not isinstance(schema, dict)
        or not schema
        or (schema.get("type") is None and ("$ref" not in schema and "anyOf" not in schema))
    )


class _Comparison:
    """Two schemas, each the root of its own references."""

    def __init__(self, output: Any, wanted: Any) -> None:
        self._output = output
        self._wanted = wanted
        # Definitions that refer to themselves, or to one another many times over, are met once.
        self._met: set[tuple[int, int]] = set()

    def mismatches(self) -> Iterator[str]:
        return self._between(self._output, self._wanted, "", 0)

    def _between(self, output: Any, wanted: Any, at: str, depth: int) -> Iterator[str]:
        output, wanted = _resolved(output, self._output), _resolved(wanted, self._wanted)
        pair = id(output), id(wanted)
        if depth > DEPTH_MAX or pair in self._met:
            return
        if _says_nothing(output) or _says_nothing(wanted):
            return
        self._met.add(pair)
        have, want = _types(output, self._output), _types(wanted, self._wanted)
        if have is None or want is None:
            return
        if not have <= want:
            yield f"{at or 'value'}: {_names(have)} where {_names(want)} is asked for"
        elif "anyOf" not in output and "anyOf" not in wanted:
            yield from self._within(output, wanted, have, at, depth)

    def _within(
        self, output: Any, wanted: Any, have: set[str], at: str, depth: int
    ) -> Iterator[str]:
        if "object" in have:
            yield from self._between_objects(output, wanted, at, depth)
        if "array" in have:
            items = output.get("items"), wanted.get("items")
            yield from self._between(*items, f"{at}[]", depth + 1)

    def _between_objects(self, output: Any, wanted: Any, at: str, depth: int) -> Iterator[str]:
        gives = output.get("properties", {})
        takes = wanted.get("properties", {})
        sure = set(output.get("required", ()))
        for name in wanted.get("required", ()):
            where = f"{at}.{name}" if at else name
            if name not in gives:
                yield f"{where}: missing"
            elif name not in sure:
                yield f"{where}: may be missing"
        for name in takes:
            if name in gives:
                where = f"{at}.{name}" if at else name
                yield from self._between(gives[name], takes[name], where, depth + 1)


def _resolved(schema: Any, root: Any) -> Any:
    for _ in range(DEPTH_MAX):
        ref = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(ref, str) or not ref.startswith("#/$defs/"):
            return schema
        definitions = root.get("$defs")
        if not isinstance(definitions, dict):
            return {}  # an older draft, to which the word means nothing
        schema = definitions.get(ref.removeprefix("#/$defs/"), {})
    return {}


def _types(schema: Any, root: Any, met: set[int] | None = None) -> set[str] | None:
    """The JSON types that a schema lets through, an integer being a number too; None if it does
    not say."""
    met = set() if met is None else met
    if not isinstance(schema, dict):
        return None
    if id(schema) in met:
        return set()
    met.add(id(schema))
    if "anyOf" in schema:
        found: set[str] = set()
        for choice in schema["anyOf"]:
            types = _types(_resolved(choice, root), root, met)
            if types is None:
                return None
            found |= types
        return found
    kind = schema.get("type")
    kinds = {kind} if isinstance(kind, str) else set(kind or ())
    return (kinds | {"integer"} if "number" in kinds else kinds) or None


def _names(types: set[str]) -> str:
    return " or ".join(sorted(types))
