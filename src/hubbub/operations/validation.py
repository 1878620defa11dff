"""JSON Schema 2020-12 by a compiled validator, with errors that name the field."""

import math
from typing import Any

import jsonschema_rs
import msgspec
from msgspec import Raw

from hubbub.kernel.errors import Invalid
from hubbub.operations.weight import WEIGHT_MAX, Weight
from hubbub.protocol.codec import UNREADABLE

ERRORS_MAX = 20

Schema = dict[str, object] | bool


class Validator:
    """One schema, compiled when it is first needed."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._compiled: Any = None
        # `{}` and `true` let everything pass, so there is nothing to look for.
        self._open = schema in ({}, True)

    @property
    def open(self) -> bool:
        """Whether everything fits."""
        return self._open

    def check(self, raw: Raw | bytes, *, at: str = "input") -> None:
        """See that the JSON in `raw` fits.

        Raises:
            Invalid: with `errors`, each naming `field`, `expected` and what was found.
        """
        try:
            value = msgspec.json.decode(raw)
        except UNREADABLE as error:
            raise Invalid(
                f"the {at} is not JSON",
                errors=[{"field": "", "expected": "JSON", "got": str(error)}],
            ) from error
        if self._open:
            return
        validator = self._compile()
        try:
            errors = [] if validator.is_valid(value) else _errors(validator, value)
        except ValueError as error:  # nested deeper than the validator goes
            errors = [{"field": "", "expected": "less nesting", "got": str(error)}]
        if errors:
            raise Invalid(f"the {at} does not fit its schema", errors=errors)

    def _compile(self) -> Any:
        if self._compiled is None:
            self._compiled = compiled(self._schema)
        return self._compiled


def compiled(schema: Schema, *, at: str = "schema") -> Any:
    """A validator that never reaches for the network.

    Raises:
        Invalid: if the schema is not one.
    """
    try:
        validator = jsonschema_rs.validator_for(schema, offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise Invalid(
            "that is not a JSON Schema",
            errors=[{"field": at, "expected": "JSON Schema 2020-12", "got": str(error)[:500]}],
        ) from error
    # After the above, which has refused what is nested too deep to be walked through.
    if _weight(schema) > WEIGHT_MAX:
        raise Invalid(
            "the schema takes too long to check",
            errors=[{"field": at, "expected": f"at most {WEIGHT_MAX} steps for one value"}],
        )
    return validator


def _weight(schema: Schema) -> float:
    try:
        return Weight(schema).of(schema)
    except (RecursionError, LookupError, ValueError):
        # A thousand references, each to the next; or one that leads who knows where.
        return math.inf


def _errors(validator: Any, value: object) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for error in validator.iter_errors(value):
        found.append({"field": pointer(error.instance_path), "expected": error.message[:300]})
        if len(found) == ERRORS_MAX:
            break
    return found


def pointer(path: list[str | int]) -> str:
    """A path into a document as people write it: `files[0].name`; empty for the whole."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
