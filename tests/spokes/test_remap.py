"""A spoke's id stands after the first segment, and nothing else changes."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.protocol.specs import OperationSpec
from hubbub.spokes.remap import remapped

SEGMENT = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)
IDS = st.uuids().map(str)


def spec(namespace, *, shared=False):
    return OperationSpec(
        namespace=namespace, name="read", type="query", description="", shared=shared
    )


@pytest.mark.parametrize(
    ("namespace", "published"),
    [("dev", "dev.7"), ("dev.fs", "dev.7.fs"), ("dev.fs.local", "dev.7.fs.local")],
)
def test_where_the_id_goes(namespace, published):
    assert remapped(spec(namespace), "7").namespace == published


@settings(max_examples=30)
@given(st.lists(SEGMENT, min_size=1, max_size=4), IDS)
def test_the_own_name_can_be_told_from_the_published_one(segments, id):
    own = spec(".".join(segments))
    published = remapped(own, id)
    first, given_id, *rest = published.namespace.split(".")
    assert (given_id, [first, *rest]) == (id, segments)
    assert msgspec.structs.replace(published, namespace=own.namespace) == own


@settings(max_examples=30)
@given(st.lists(SEGMENT, min_size=1, max_size=4), IDS, IDS)
def test_two_spokes_never_share_a_name_by_accident(segments, one, other):
    own = spec(".".join(segments))
    assert (remapped(own, one).id == remapped(own, other).id) == (one == other)


@settings(max_examples=30)
@given(st.lists(SEGMENT, min_size=1, max_size=4), IDS)
def test_what_is_shared_keeps_its_name(segments, id):
    own = spec(".".join(segments), shared=True)
    assert remapped(own, id) is own
