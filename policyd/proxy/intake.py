"""Takes a request's body in: bounded in bytes, in time, and in what all requests together may hold.

In come the server's `receive` and the declared length; out come the whole body, or why it was not taken. The one idea:
nothing is read that will not fit, so a body too large is refused by its declared length before its first byte. It does
not look into the body.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from policyd.proxy.refusals import Refusal, refuse

__all__ = ["Gone", "Receive", "Room", "take_body", "take_whole"]

Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]


class Gone(Exception):
    """The client left before its request was complete."""


class Room:
    """Bytes of bodies that are held at once. `limit` may be set anew; what is held then stays. Of one event loop."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def fits(self, size: int) -> bool:
        return self.held + size <= self.limit

    def take(self, size: int) -> bool:
        if not self.fits(size):
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        self.held -= size


async def take_body(
    receive: Receive, expected: int, limit: int, room: Room, *, seconds: float
) -> bytes | Refusal:
    """The body; its bytes are taken from `room` and the caller gives them back. `expected` is the declared length, 0
    where there is none, `seconds` the time in which it must be complete. Raises `Gone`."""
    if expected > limit:
        return _too_large(limit)
    # Bytes that are only promised hold no place, or a client could keep all of it by sending none.
    if not room.fits(expected):
        return refuse("internal_overload", "the bodies in flight fill what the deployment allows")
    intake = _Intake(receive, limit, room)
    try:
        async with asyncio.timeout(seconds):
            return await intake.run()
    except TimeoutError:
        return refuse("caller_slow", f"the body was not complete after {seconds:g} seconds; send it faster")
    finally:
        intake.settle()


def take_whole(body: bytes, limit: int, room: Room) -> bytes | Refusal:
    """The same for a body that is here already."""
    if len(body) > limit:
        return _too_large(limit)
    if not room.take(len(body)):
        return refuse("internal_overload", "the bodies in flight fill what the deployment allows")
    return body


class _Intake:
    """One body on its way in, and the bytes that are held for it."""

    __slots__ = ("_done", "_limit", "_receive", "_room", "_size")

    def __init__(self, receive: Receive, limit: int, room: Room) -> None:
        self._receive = receive
        self._limit = limit
        self._room = room
        self._size = 0
        self._done = False

    async def run(self) -> bytes | Refusal:
        pieces: list[bytes] = []
        while not self._done:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            piece = message["body"]
            if self._size + len(piece) > self._limit:
                return _too_large(self._limit)
            if not self._room.take(len(piece)):
                return refuse("internal_overload", "the bodies in flight fill what the deployment allows")
            self._size += len(piece)
            pieces.append(piece)
            self._done = not message["more_body"]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def settle(self) -> None:
        """Gives back what is held, unless for a body that was taken."""
        if not self._done:
            self._room.give(self._size)


def _too_large(limit: int) -> Refusal:
    return refuse(
        "caller_too_large", f"the body is larger than {limit} bytes, which is what this deployment allows"
    )
