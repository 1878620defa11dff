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


def doubling(steps, keyword="allOf", refer="$ref", to="#/$defs/d{}", **names):
    """Each definition looks at the next one twice."""

    def named(n):
        return {name: value.format(n) for name, value in names.items()}

    each = {f"d{n}": {**named(n), keyword: [{refer: to.format(n + 1)}] * 2} for n in range(steps)}
    last = {**named(steps), "type": "integer"}
    return {"$defs": {**each, f"d{steps}": last}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_a_schema_whose_parts_double_is_refused(keyword):
    with pytest.raises(Invalid):
        compiled(doubling(40, keyword))


WAYS = {
    "by an anchor": {"to": "#d{}", "$anchor": "d{}"},
    "by an address": {"to": "d{}", "$id": "d{}"},
    "by whoever is outermost": {"refer": "$dynamicRef", "to": "#d{}", "$dynamicAnchor": "d{}"},
    "with escapes": {"to": "#/%24defs/d{}"},
}
OF_ITS_OWN = {"$id": "https://example.org/root", **doubling(40, to="root#/$defs/d{}")}
OLDER = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "definitions": doubling(40, to="#d{}", **{"$id": "#d{}"})["$defs"],
    "$ref": "#d0",
}
EMBEDDED = {"$ref": "#/$defs/a", "$defs": {"a": {"$id": "https://example.org/a", **doubling(40)}}}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_however_parts_are_referred_to_they_are_weighed(way):
    assert compiled(doubling(5, **way)) is not None
    with pytest.raises(Invalid):
        compiled(doubling(40, **way))


@pytest.mark.parametrize("schema", [OF_ITS_OWN, OLDER, EMBEDDED])
def test_a_part_is_looked_for_where_its_reference_stands(schema):
    with pytest.raises(Invalid):
        compiled(schema)


def test_a_reference_that_may_mean_two_parts_is_not_guessed_at():
    light = {"const": {"$id": "d1"}}
    with pytest.raises(Invalid):
        compiled({"$ref": "d1", "$defs": {"d1": {"$id": "d1", "type": "null"}, "light": light}})


def test_a_schema_whose_parts_double_below_the_value_is_refused():
    with pytest.raises(Invalid):
        compiled({"type": "object", "properties": {"a": {"items": doubling(40)}}, **doubling(40)})


def test_a_chain_of_references_without_an_end_is_refused():
    each = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(5000)}
    with pytest.raises(Invalid):
        compiled({"$ref": "#/$defs/d0", "$defs": each | {"d5000": True}})


LIST = {"$dynamicAnchor": "node", "properties": {"next": {"$dynamicRef": "#node"}}}
META = {"properties": {"schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}}


@pytest.mark.parametrize("schema", [True, {}, {"$ref": "#"}, TREE, LIST, META, doubling(5)])
def test_a_schema_that_is_soon_checked_is_taken(schema):
    assert compiled(schema) is not None
