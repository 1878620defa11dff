"""Server-sent events, however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.kernel.errors import TooLarge
from hubbub.protocol.events import Event, Events

STREAM = (
    b": a comment\r\nid: 1\nretry: 500\ndata:\n\n"
    b"event: change\rdata: {a\rdata: b}\r\r"
    b"data:c\r\n\r\nid: 2\n\ndata: unfinished"
)
EVENTS = [
    Event(kind="message", data=b"", id="1"),
    Event(kind="change", data=b"{a\nb}", id="1"),
    Event(kind="message", data=b"c", id="1"),
]


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_are_the_same_wherever_the_stream_is_cut(cuts):
    events = Events(100)
    at = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(at)]
    assert [event for piece in pieces for event in events.fed(piece)] == EVENTS
    assert (events.last_id, events.retry_ms) == ("2", 500)


def test_an_event_without_an_end_is_refused():
    events = Events(100)
    with pytest.raises(TooLarge):
        for _ in range(20):
            events.fed(b"data: x")
