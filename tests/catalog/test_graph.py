"""Which outputs fit which inputs."""

import pytest

from hubbub.catalog.graph import Fit, edges, fits
from hubbub.protocol.specs import OperationSpec

STRING, INTEGER, NUMBER, NULL = ({"type": t} for t in ("string", "integer", "number", "null"))


def struct(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required)}


def array(items):
    return {"type": "array", "items": items}


def either(*choices):
    return {"anyOf": list(choices)}


NAMED = struct(["name"], name=STRING)


@pytest.mark.parametrize(
    ("output", "wanted", "mismatches"),
    [
        # Identical, and subtypes.
        (STRING, STRING, []),
        (NAMED, NAMED, []),
        (INTEGER, NUMBER, []),
        (NUMBER, INTEGER, ["value: integer or number where integer is asked for"]),
        (STRING, INTEGER, ["value: string where integer is asked for"]),
        (STRING, {"type": ["string", "null"]}, []),
        ({"type": ["string", "null"]}, STRING, ["value: null or string where string is asked for"]),
        (STRING, either(STRING, NULL), []),
        (either(STRING, NULL), STRING, ["value: null or string where string is asked for"]),
        (either(STRING, INTEGER), either(NUMBER, STRING), []),
        # What is required.
        (struct(), NAMED, ["name: missing"]),
        (struct(name=STRING), NAMED, ["name: may be missing"]),
        (struct(["name", "more"], name=STRING, more=STRING), NAMED, []),
        (struct(), struct(name=STRING), []),
        # Below.
        (struct(["name"], name=INTEGER), NAMED, ["name: integer where string is asked for"]),
        (array(INTEGER), array(STRING), ["[]: integer where string is asked for"]),
        (
            struct(["of"], of=array(struct())),
            struct(["of"], of=array(NAMED)),
            ["of[].name: missing"],
        ),
        # What nobody knows is passed over.
        (struct(["name"], name={}), NAMED, []),
        (struct(["name"], name={"enum": ["a"]}), NAMED, []),
        (array({}), array(STRING), []),
        ({"type": "array"}, array(STRING), []),
        (either(STRING, {"enum": [1]}), STRING, []),
        (either(NAMED, struct()), NAMED, []),
        # References.
        (
            {"$ref": "#/$defs/N", "$defs": {"N": NAMED}},
            {"$ref": "#/$defs/M", "$defs": {"M": struct(["name"], name=INTEGER)}},
            ["name: string where integer is asked for"],
        ),
        (
            {**either({"$ref": "#/$defs/E"}, NULL), "$defs": {"E": STRING}},
            STRING,
            ["value: null or string where string is asked for"],
        ),
        ({"$ref": "#/$defs/gone", "$defs": {}}, NAMED, []),
        ({"$ref": "elsewhere"}, NAMED, []),
    ],
)  # fmt: skip
def test_fits(output, wanted, mismatches):
    fit = Fit(compatible=not mismatches, mismatches=tuple(mismatches))
    assert fits(output, wanted) == fit


@pytest.mark.parametrize("nothing", [{}, True, {"description": "?"}, None])
def test_nothing_can_be_said_of_a_schema_that_says_nothing(nothing):
    assert fits(nothing, STRING) is None
    assert fits(STRING, nothing) is None


def tree(leaf):
    node = struct(
        ["value"],
        value=leaf,
        left={"$ref": "#/$defs/Node"},
        right={"$ref": "#/$defs/Node"},
        others=array({"$ref": "#/$defs/Node"}),
    )
    return {"$ref": "#/$defs/Node", "$defs": {"Node": node}}


def test_schemas_that_refer_to_themselves_are_compared():
    assert fits(tree(STRING), tree(STRING)) == Fit(compatible=True)
    assert fits(tree(STRING), tree(INTEGER)) == Fit(
        compatible=False, mismatches=("value: string where integer is asked for",)
    )


def test_definitions_that_name_one_another_many_times_are_compared():
    defs = {
        f"D{n}": struct(a={"$ref": f"#/$defs/D{n + 1}"}, b={"$ref": f"#/$defs/D{n + 1}"})
        for n in range(30)
    }
    doubling = {"$ref": "#/$defs/D0", "$defs": {**defs, "D30": STRING}}
    assert fits(doubling, doubling) == Fit(compatible=True)
    choices = {
        f"C{n}": either({"$ref": f"#/$defs/C{n + 1}"}, {"$ref": f"#/$defs/C{n + 1}"})
        for n in range(30)
    }
    choosing = {"$ref": "#/$defs/C0", "$defs": {**choices, "C30": STRING}}
    assert fits(choosing, STRING) == Fit(compatible=True)


def test_a_reference_that_leads_round_in_a_circle_says_nothing():
    circle = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}
    assert fits(circle, STRING) == Fit(compatible=True)


def test_there_is_an_edge_for_each_ordered_pair_that_can_be_compared():
    def spec(name, output, input):
        return OperationSpec(
            namespace="a",
            name=name,
            type="query",
            description="",
            input_schema=input,
            output_schema=output,
        )

    specs = [spec("x", STRING, {}), spec("y", INTEGER, STRING), spec("z", {}, NUMBER)]
    found = {
        (edge.source, edge.target): edge.fit.compatible
        for source in specs
        for edge in edges(source, specs)
    }
    assert found == {("a.x", "a.y"): True, ("a.x", "a.z"): False, ("a.y", "a.z"): True}
