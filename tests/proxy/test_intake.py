"""Taking a body in: bounded in bytes, in time, and over all requests."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from policyd.proxy.intake import Gone, Receive, Room, take_body
from policyd.proxy.refusals import Refusal

LIMIT = 10


def receiving(messages: Iterable[dict[str, Any]], *, then_hang: bool = False) -> Receive:
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        message = next(waiting, None)
        if message is None:
            assert then_hang
            await asyncio.Event().wait()
        assert message is not None
        return message

    return receive


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def taken(
    messages: list[dict[str, Any]], room: Room, *, length: bytes | None = None, hang: bool = False
) -> bytes | Refusal:
    expected = 0 if length is None else int(length)
    return asyncio.run(take_body(receiving(messages, then_hang=hang), expected, LIMIT, room, seconds=0.05))


@pytest.mark.parametrize(
    ("messages", "length"),
    [
        ([piece(b"abcdef")], b"6"),
        ([piece(b"abc", more=True), piece(b"def")], b"6"),
        ([piece(b"abc", more=True), piece(b"def", more=True), piece(b"")], None),
    ],
    ids=["in one piece", "in two pieces", "without a length"],
)
def test_a_body_is_taken_whole_and_its_bytes_are_accounted(
    messages: list[dict[str, Any]], length: bytes | None
) -> None:
    room = Room(100)
    assert taken(messages, room, length=length) == b"abcdef"
    assert room.held == 6


@pytest.mark.parametrize(
    ("messages", "length", "code"),
    [
        ([], b"11", "caller_too_large"),
        ([piece(b"abcdef", more=True), piece(b"ghijkl", more=True)], None, "caller_too_large"),
        ([piece(b"abc", more=True)], b"6", "caller_slow"),
    ],
    ids=["declared too large", "streamed too large", "slow"],
)
def test_a_body_that_is_not_taken_leaves_no_bytes_behind(
    messages: list[dict[str, Any]], length: bytes | None, code: str
) -> None:
    room = Room(100)
    refusal = taken(messages, room, length=length, hang=True)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert room.held == 0


@pytest.mark.parametrize("length", [b"6", None])
def test_no_body_is_taken_beyond_what_all_may_hold(length: bytes | None) -> None:
    room = Room(8)
    assert room.take(4)
    refusal = taken([piece(b"abcdef", more=True)], room, length=length)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "internal_overload"
    assert room.held == 4


def test_a_client_that_leaves_is_noticed() -> None:
    room = Room(100)
    with pytest.raises(Gone):
        taken([piece(b"a", more=True), {"type": "http.disconnect"}], room, length=b"6")
    assert room.held == 0
