"""The page on the protocol has every frame and every field, and every close code."""

import re
import typing

import msgspec
import pytest

from hubbub.calls.model import Cancel, Reason
from hubbub.protocol import closing, frames
from tests.support.examples import ROOT

PAGE = (ROOT / "docs" / "protocol.md").read_text()
FRAMES = typing.get_args(frames.CallFrame) + typing.get_args(frames.HubFrame)
CLOSE_CODES = [code for code in vars(closing).values() if isinstance(code, int)]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.__struct_config__.tag)
def test_a_frame_is_described_with_all_its_fields(frame):
    tag = frame.__struct_config__.tag
    assert f"\n### {tag}\n" in PAGE
    section = PAGE.partition(f"\n### {tag}\n")[2].partition("\n##")[0]
    payload = typing.get_type_hints(frame)["payload"]
    fields = [field.encode_name for field in msgspec.structs.fields(payload)]
    assert [
        name for name in fields if f"`{name}`" not in section and f'"{name}"' not in section
    ] == []


def test_every_close_code_is_described():
    assert [
        code for code in CLOSE_CODES if not re.search(rf"^\|.*\b{code}\b", PAGE, re.MULTILINE)
    ] == []


def test_every_reason_and_every_way_to_stop_a_call_is_told():
    concepts = (ROOT / "docs" / "concepts.md").read_text()
    assert [each.value for each in (*Reason, *Cancel) if f"| `{each.value}`" not in concepts] == []
