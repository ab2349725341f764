"""Takes a request's body in: bounded in bytes, in time, and in what all requests together may hold.

In come the server's `receive` and the request's headers; out come the whole body, or why it was not taken. The one idea:
nothing is read that will not fit, so a body too large is refused by its declared length before its first byte. It does
not look into the body.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeAlias

from policyd.proxy.refusals import Refusal, refuse

__all__ = ["Gone", "Receive", "Room", "take_body"]

Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]

SECONDS: Final = 60.0
"""In which a body must be complete. The callers are near, and 32 MiB in a minute is less than 5 Mbit/s."""


class Gone(Exception):
    """The client left before its request was complete."""


class Room:
    """Bytes of bodies that are held at once. Of one event loop."""

    __slots__ = ("_limit", "held")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    def take(self, size: int) -> bool:
        if self.held + size > self._limit:
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        self.held -= size


async def take_body(
    receive: Receive,
    headers: Iterable[tuple[bytes, bytes]],
    limit: int,
    room: Room,
    *,
    seconds: float = SECONDS,
) -> bytes | Refusal:
    """The body; its bytes are taken from `room` and the caller gives them back. Raises `Gone`."""
    declared = next((value for name, value in headers if name == b"content-length"), b"0")
    # INVARIANT: the server has parsed the length; one that it passed is digits.
    expected = int(declared)
    if expected > limit:
        return _too_large(limit)
    if not room.take(expected):
        return refuse(
            "internal_overload", "the bodies in flight fill what the deployment allows; send it again soon"
        )
    held = expected
    pieces: list[bytes] = []
    size = 0
    done = False
    try:
        async with asyncio.timeout(seconds):
            while not done:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                piece = message["body"]
                size += len(piece)
                if size > limit:
                    return _too_large(limit)
                if size > held:
                    if not room.take(size - held):
                        return refuse(
                            "internal_overload", "the bodies in flight fill what the deployment allows"
                        )
                    held = size
                pieces.append(piece)
                done = not message["more_body"]
    except TimeoutError:
        return refuse("caller_slow", f"the body was not complete after {seconds:g} seconds; send it faster")
    finally:
        if not done:
            room.give(held)
        elif held != size:
            room.give(held - size)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(limit: int) -> Refusal:
    return refuse(
        "caller_too_large", f"the body is larger than {limit} bytes, which is what this deployment allows"
    )
