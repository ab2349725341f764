"""Which header names are spoken for: a policy cannot read its features from them, nor a deployment set them.

Hop-by-hop and framing headers belong to a connection (RFC 9110, section 7.6.1), credentials to the identity, and
`x-policyd-*` to policyd's own answers.
"""

import re
from typing import Final

__all__ = ["CREDENTIALS", "RESERVED", "is_header_name", "is_header_value"]

CREDENTIALS: Final = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "set-cookie",
        "x-auth-token",
    }
)

RESERVED: Final = CREDENTIALS | {
    "connection", "content-encoding", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-authenticate",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e]*")


def is_header_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def is_header_value(text: str) -> bool:
    """Printable ASCII: what can be sent and read back everywhere."""
    return _VALUE.fullmatch(text) is not None
