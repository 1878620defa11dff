"""What of a result is kept, and what is handed on at once."""

from typing import Any

import msgspec
from msgspec import Raw

from hubbub.interfaces.mcp.spill import PART_BYTES, Part, Spill
from hubbub.protocol.codec import encode


def spilled(result: bytes, spill: Spill, account_id: str) -> bytes:
    """The result, or the first part of its text where that is too much at once. Pictures and sounds
    stand as they came.

    Raises:
        TooLarge: if nobody may keep so much.
    """
    if len(result) <= PART_BYTES:
        return result
    fields = msgspec.json.decode(result, type=dict[str, Raw])
    blocks: list[Any] = msgspec.json.decode(fields.get("content", Raw(b"[]")))
    if "structuredContent" in fields:
        text = bytes(fields["structuredContent"])
    else:
        text = "\n".join(b["text"] for b in blocks if _is_text(b)).encode()
    if len(text) <= PART_BYTES:
        return result
    part = spill.keep(account_id, text)
    others = [block for block in blocks if not _is_text(block)]
    kept = {key: value for key, value in fields.items() if key != "structuredContent"}
    return encode({**kept, "content": [*in_words(part), *others]})


def in_words(part: Part) -> list[dict[str, object]]:
    """A part of a large result, and where the next one is."""
    about = {"handle": part.handle, "bytesTotal": part.bytes_total, "nextCursor": part.next_cursor}
    return [
        {"type": "text", "text": part.text},
        {"type": "text", "text": encode(about).decode()},
    ]


def _is_text(block: object) -> bool:
    return isinstance(block, dict) and block.get("type") == "text" and "text" in block
