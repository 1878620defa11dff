"""Text that somebody else wrote, as a terminal may be given it. No I/O."""

from typing import Final

# A terminal obeys control characters: a description could move the cursor, set the title of the
# window or write over what stands above it. Each is shown as its picture instead.
_PICTURES: Final = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}


def harmless(text: str) -> str:
    """The same without anything that a terminal would obey."""
    return text.translate(_PICTURES)
