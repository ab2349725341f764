"""What the proxy asks of an upstream client: the small protocol behind which the client can be exchanged.

A `Permit` goes in, an `Exchange` comes out. The permit already holds the bytes to send, so nothing can change between
what the gate examined and what a target receives. No method follows a redirect, decompresses, or reads the
environment. Failures are `UpstreamError`s; a permit that is no longer good is `GateClosed` (decide again, or refuse).
"""

from collections.abc import Iterable
from typing import Protocol

from policyd.deploy.model import BoundTarget
from policyd.proxy.gate import Permit
from policyd.proxy.upstream.answer import Framing

__all__ = ["Exchange", "Upstream"]


class Exchange(Protocol):
    """One answer. Iterating gives the body as it arrives and ends only when the whole body was received; otherwise it
    raises. `close` must be called when the caller is done for any reason: it is free after the end of the body, and
    before that it aborts the connection at once."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names in lower case, values as received, in the order of arrival."""

    @property
    def framing(self) -> Framing:
        """How the body's end is known. `until-close` cannot tell a cut from an end."""

    @property
    def trailers(self) -> list[tuple[bytes, bytes]]:
        """Complete once `finished`."""

    @property
    def finished(self) -> bool:
        """The whole body has arrived, what `take` has not yet given out included."""

    def take(self) -> bytes:
        """What has arrived and was not yet given out; empty when nothing has. Never waits; raises what went wrong
        only once everything that arrived before it was given out."""

    def __aiter__(self) -> "Exchange": ...

    async def __anext__(self) -> bytes: ...

    def close(self) -> None: ...


class Upstream(Protocol):
    async def open(self, permit: Permit, *, deadline: float | None = None) -> Exchange:
        """Sends the permit's request to its target and waits for the head of the answer. `deadline` is a time of the
        running loop's clock; the target's own timeouts apply as well. Cancelling the call aborts the connection."""

    def rebind(self, targets: Iterable[BoundTarget]) -> None:
        """The targets from now on. A target that changed gets a pool of its own; requests under way finish."""

    async def aclose(self) -> None:
        """Closes every connection; requests under way end as `reset`."""
