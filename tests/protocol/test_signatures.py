"""What a schema promises is what is accepted."""

import enum
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.kernel.errors import Invalid
from hubbub.operations.validation import Validator
from hubbub.protocol.signatures import description_of, schema_of, signature_of


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Point(msgspec.Struct, forbid_unknown_fields=True):
    x: int
    y: int = 0


class Tree(msgspec.Struct):
    name: str
    children: "list[Tree]" = []


class Circle(msgspec.Struct, tag="circle"):
    radius: float


class Square(msgspec.Struct, tag="square"):
    side: float


Short = Annotated[str, msgspec.Meta(min_length=1, max_length=3)]
Small = Annotated[int, msgspec.Meta(ge=0, le=10)]

TYPES = [
    bool, int, float, str, None, int | None, str | int, list[int], list[str | None],
    dict[str, int], tuple[int, str], tuple[int, ...], Literal["a", "b"], Literal[1, 2, None],
    Colour, Short, Small, Annotated[list[int], msgspec.Meta(max_length=2)], Point, list[Point],
    Tree, Point | None, Circle | Square, dict[str, Point],
]  # fmt: skip

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.sampled_from([-0.5, 1.25, 10.5]),
    st.sampled_from(["", "a", "b", "red", "blue", "long enough", "circle", "square"]),
)  # fmt: skip
KEYS = st.sampled_from(["x", "y", "name", "children", "type", "radius", "side", "other"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def accepted_by_schema(validator, value):
    try:
        validator.check(msgspec.json.encode(value))
    except Invalid:
        return False
    return True


def accepted_by_convert(shape, value):
    try:
        msgspec.json.decode(msgspec.json.encode(value), type=shape)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("shape", TYPES, ids=str)
def test_the_schema_accepts_what_is_accepted_and_nothing_else(shape):
    validator = Validator(schema_of(shape))

    @settings(max_examples=30)
    @given(VALUES)
    def agrees(value):
        assert accepted_by_schema(validator, value) == accepted_by_convert(shape, value)

    agrees()


def test_the_one_difference_is_a_whole_number_that_is_written_as_a_float():
    """JSON Schema lets `1.0` be an integer; it is refused when it is read, with its field."""
    assert accepted_by_schema(Validator(schema_of(int)), 1.0)
    assert not accepted_by_convert(int, 1.0)


@pytest.mark.parametrize("shape", [Any, object])
def test_anything_goes_where_nothing_is_said(shape):
    assert schema_of(shape) == {}


def test_references_stand_only_where_they_must():
    assert "$ref" not in schema_of(Point)
    assert schema_of(Point)["required"] == ["x"]
    assert schema_of(Tree)["$ref"] == "#/$defs/Tree"


def test_the_parameters_are_the_fields_and_the_context_is_not_among_them():
    class Context: ...

    async def find(ctx: Context, text: str, limit: int = 10) -> list[str]: ...

    told = signature_of(find, Context)
    assert (told.context, told.streams, told.output) == ("ctx", False, list[str])
    assert schema_of(told.input) == {
        "title": "find",
        "type": "object",
        "properties": {"text": {"type": "string"}, "limit": {"type": "integer", "default": 10}},
        "required": ["text"],
        "additionalProperties": False,
    }


def test_who_yields_answers_many_times():
    async def follow() -> AsyncIterator[int]:
        yield 1

    told = signature_of(follow, type(None))
    assert (told.streams, told.output) == (True, int)


def positional(text: str, /): ...
def variadic(*texts: str): ...
def named(**texts: str): ...
def bare(text): ...


@pytest.mark.parametrize("function", [positional, variadic, named, bare])
def test_what_cannot_be_given_by_name_or_has_no_type_is_refused(function):
    with pytest.raises(TypeError):
        signature_of(function, type(None))


def test_the_description_ends_where_the_sections_begin():
    def documented():
        """First line
        goes on.

        Second.

        Args:
            none: at all.
        """

    assert description_of(documented) == "First line goes on.\n\nSecond."
