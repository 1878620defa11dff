"""Bounds that hold for everybody; those that an owner may move are settings."""

PAGE_ITEMS = 50
PAGE_ITEMS_MAX = 500
NAME_CHARS_MAX = 128
ID_CHARS_MAX = 512
"""Of the names by which calls and operations are asked for: answers repeat them."""
FRAME_BYTES_MAX = 16 * 1024 * 1024
REGISTERED_OPERATIONS_MAX = 10_000
TOMBSTONES_MAX = 10_000
CALL_DEPTH_MAX = 64
