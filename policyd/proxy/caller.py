"""What a request shows of its caller, and what comes of it: the words that all ways to be known share.

In come headers and the connection; out go the keys that were shown. See `identity` for who is known by them.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from policyd.proxy.refusals import Refusal

__all__ = ["Claims", "Peer", "Shown", "Unsettled", "Way", "is_token", "presented_keys"]

Claims: TypeAlias = Mapping[str, str]
Shown: TypeAlias = Iterable[tuple[bytes, bytes]]

_KEY_HEADERS: Final = frozenset({b"x-api-key", b"api-key"})


class Peer(Protocol):
    """The connection that a request came on."""

    def about(self, name: str) -> Any:
        """What asyncio calls extra information: `peername`, `peercert`, `ssl_object`."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Who the caller is cannot be said before something was fetched: `settle`, and ask once more. `refusal` is what to say
    where that does not help."""

    settle: Callable[[], Awaitable[None]]
    refusal: Refusal


Way: TypeAlias = Callable[[Shown, Peer | None, float], Claims | Refusal | Unsettled | None]
"""One way to be known: the claims of the caller at a POSIX time, or why it is nobody; None where it shows nothing of this kind."""


def presented_keys(headers: Shown) -> frozenset[bytes]:
    """Every API key in the three places where SDKs put one."""
    keys = set()
    for name, value in headers:
        if name in _KEY_HEADERS:
            keys.add(value.strip())
        elif name == b"authorization":
            scheme, _, key = value.strip().partition(b" ")
            if scheme.lower() == b"bearer":
                keys.add(key.strip())
    return frozenset(keys - {b""})


def is_token(key: bytes) -> bool:
    """Whether a key has the shape of a signed token: three parts, of which the first is a JSON object in base64."""
    return key.startswith(b"ey") and key.count(b".") == 2
