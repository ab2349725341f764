"""How one attempt says the request to one target, and how that target's answer is said to the caller.

A `Way` is made for each attempt anew, from the request as it came, so that what was rewritten for one target never reaches
another. Most answers pass byte for byte (`reply` is None); where they do not, a `Reply` stands between. The gate examines
what a way says, like any other bytes.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from policyd.proxy.outbound import Headers

__all__ = ["Garbled", "Head", "Reply", "Way"]


class Garbled(Exception):
    """The target's answer is not what its API says, so nothing true can be made of it. The message quotes no content."""


class Head(NamedTuple):
    """The head of an answer for the caller. `whole`: nothing of it is sent before the answer has come to its end, so that
    a failure may still lead to the next candidate; otherwise it is said piece by piece."""

    status: int
    headers: Headers
    whole: bool


class Reply(Protocol):
    """One answer on its way back. Of one attempt; keeps what it needs between pieces. Each method may raise `Garbled`."""

    def head(self, status: int, headers: Headers) -> Head:
        """`headers` are those that may pass to a caller, lower-case; a `content-length` of the old body must go."""

    def feed(self, piece: bytes) -> bytes:
        """What the caller gets for these bytes; nothing is sent for none."""

    def end(self) -> bytes:
        """The last bytes, where the target's answer ended as its framing says. `Garbled` where it is not complete in its own
        form: a stream without its last event never ends cleanly."""


@dataclass(slots=True)
class Way:
    """`path` is what follows the target's own prefix; `headers` are the caller's that may pass to this target."""

    path: bytes
    query: bytes
    headers: Headers
    body: bytes
    reply: Reply | None = None
