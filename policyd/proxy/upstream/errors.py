"""How an upstream can fail, as a closed vocabulary.

    UpstreamError                the target did not give a whole answer; `kind` says how
    ├── UpstreamUnreachable      no byte of the request was sent: another attempt anywhere allowed is safe
    │     pool_exhausted · refused · dns · tls · address_not_allowed · connect_timeout
    └── UpstreamBroken           the target may have worked on the request
          first_byte_timeout · idle_timeout · total_timeout · reset · malformed · truncated
          error_event (the answer is a success by its status, and an error by the first thing that it says)

`detail` is for a log and names no header value and no content.
"""

from enum import StrEnum
from typing import Final

__all__ = ["UNSENT", "Kind", "UpstreamBroken", "UpstreamError", "UpstreamUnreachable"]


class Kind(StrEnum):
    REFUSED = "refused"
    DNS = "dns"
    TLS = "tls"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    CONNECT_TIMEOUT = "connect_timeout"
    POOL_EXHAUSTED = "pool_exhausted"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    RESET = "reset"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    ERROR_EVENT = "error_event"


UNSENT: Final = frozenset(
    {Kind.REFUSED, Kind.DNS, Kind.TLS, Kind.ADDRESS_NOT_ALLOWED, Kind.CONNECT_TIMEOUT, Kind.POOL_EXHAUSTED}
)
"""Kinds after which no byte of the request was sent."""


class UpstreamError(Exception):
    """A target failed. INVARIANT: a subclass's `kind` belongs to it (see the tree above). `stale`: the request was written
    before, to a pooled connection that the target had closed."""

    stale = False

    def __init__(self, kind: Kind, target: str, detail: str) -> None:
        super().__init__(f"{target}: {kind}: {detail}")
        self.kind = kind
        self.target = target
        self.detail = detail


class UpstreamUnreachable(UpstreamError):
    def __init__(self, kind: Kind, target: str, detail: str) -> None:
        assert kind in UNSENT
        super().__init__(kind, target, detail)


class UpstreamBroken(UpstreamError):
    def __init__(self, kind: Kind, target: str, detail: str) -> None:
        assert kind not in UNSENT
        super().__init__(kind, target, detail)
