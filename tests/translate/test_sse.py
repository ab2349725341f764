"""Server-sent events: the reading of the WHATWG, and the same events however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.translate.loss import Unsayable
from policyd.translate.sse import LARGEST_EVENT, Event, Events, object_of, said, said_as


def read(*pieces: bytes) -> list[Event]:
    events = Events()
    return [event for piece in pieces for event in events.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [Event(b"", b"a")]),
        (b"data:a\n\n", [Event(b"", b"a")]),
        (b"data:  a\n\n", [Event(b"", b" a")]),
        (b"event: x\ndata: a\n\n", [Event(b"x", b"a")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event(b"", b"a"), Event(b"", b"b")]),
        (b"data: a\r\rdata: b\r\r", [Event(b"", b"a"), Event(b"", b"b")]),
        (b"data: a\ndata: b\n\n", [Event(b"", b"a\nb")]),
        (b": a comment\n\ndata: a\n\n", [Event(b"", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event(b"", b"a")]),
        (b"id: 1\nretry: 5\ndata: a\n\n", [Event(b"", b"a")]),
        (b"event: x\n\ndata: a\n\n", [Event(b"", b"a")]),
        (b"data\n\n", [Event(b"", b"")]),
        (b"data: a\n", []),
        (b"data: a", []),
    ],
)
def test_a_stream_is_read_as_the_standard_says(stream: bytes, events: list[Event]) -> None:
    assert read(stream) == events


PIECES = st.lists(st.sampled_from([b"data: ", b"a", b":", b"\r", b"\n", b"\r\n", b"event: x", b"\xef\xbb\xbf", b" "]))  # fmt: skip


@given(PIECES, st.data())
def test_every_cut_gives_the_same_events(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*pieces) == read(stream)


@given(PIECES)
def test_byte_by_byte_gives_the_same_events(parts: list[bytes]) -> None:
    stream = b"".join(parts)
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == read(stream)


def test_what_is_written_is_read() -> None:
    assert read(said({"a": "b\nc"}), said_as("x", {"d": 1})) == [
        Event(b"", b'{"a":"b\\nc"}'),
        Event(b"x", b'{"d":1}'),
    ]


def test_an_event_that_was_begun_and_not_ended_is_known() -> None:
    for rest, stream in ((True, b"data: a"), (True, b"data: a\n"), (False, b"data: a\n\n"), (False, b"")):
        events = Events()
        events.feed(stream)
        assert events.rest is rest


@pytest.mark.parametrize("line", [b"", b"data: " + b"a" * 1000 + b"\n"], ids=["one line", "many lines"])
def test_an_event_without_end_is_not_held_for_ever(line: bytes) -> None:
    events = Events()
    piece = line or b"a" * 1024
    with pytest.raises(Unsayable, match="larger"):
        for _ in range(2 * LARGEST_EVENT // 1000):
            events.feed(piece)


@pytest.mark.parametrize("data", [b"{", b"[]", b"1", b"", b"\xff"])
def test_what_is_no_object_is_unsayable(data: bytes) -> None:
    with pytest.raises(Unsayable):
        object_of(data)
