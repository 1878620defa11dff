"""A schema that would take for ever to check is refused."""

import pytest

from hubbub.kernel.errors import Invalid
from hubbub.operations.validation import compiled

TREE = {
    "type": "object",
    "properties": {
        "left": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        "right": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    },
}


def doubling(steps, keyword="allOf"):
    """Each definition looks at the next one twice."""
    each = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(steps)}
    return {"$ref": "#/$defs/d0", "$defs": {**each, f"d{steps}": {"type": "integer"}}}


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_a_schema_whose_parts_double_is_refused(keyword):
    with pytest.raises(Invalid):
        compiled(doubling(40, keyword))


def test_a_schema_whose_parts_double_below_the_value_is_refused():
    with pytest.raises(Invalid):
        compiled({"type": "object", "properties": {"a": {"items": doubling(40)}}, **doubling(40)})


def test_a_chain_of_references_without_an_end_is_refused():
    each = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(5000)}
    with pytest.raises(Invalid):
        compiled({"$ref": "#/$defs/d0", "$defs": each | {"d5000": True}})


@pytest.mark.parametrize("schema", [True, {}, {"$ref": "#"}, TREE, doubling(5)])
def test_a_schema_that_is_soon_checked_is_taken(schema):
    assert compiled(schema) is not None
