"""Which texts of a config refer to secrets, and what becomes of them."""

from hypothesis import given
from hypothesis import strategies as st

from hubbub.services import references

NAMES = st.from_regex(references.SECRET_NAME.replace("$", r"\Z"))
CONFIGS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_names_are_found_wherever_they_stand():
    config = {"a": "${secret:A}", "b": ["x ${secret:B} ${secret:A}", {"c": "${secret:c.d-e}"}]}
    assert references.names(config) == {"A", "B", "c.d-e"}
    assert references.names({"${secret:A}": "${A} ${A:-b} $${A} {secret:A} ${secret:1}"}) == set()


@given(CONFIGS)
def test_without_references_nothing_is_replaced(config):
    if not references.names({"config": config}):
        assert references.replaced(config, {}) == config


@given(st.dictionaries(NAMES, st.text(), min_size=1, max_size=5))
def test_each_is_replaced_by_its_secret_and_none_twice(secrets):
    """What a secret holds is a text: a reference in it is not one."""
    secrets = {name: value + "${secret:A}" for name, value in secrets.items()}
    config = {"all": [f"<${{secret:{name}}}>" for name in secrets]}
    assert references.replaced(config, secrets) == {"all": [f"<{v}>" for v in secrets.values()]}
