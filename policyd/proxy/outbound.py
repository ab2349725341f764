"""What of a request's and an answer's envelope is passed on: headers and query. Pure, bytes in and bytes out.

In come the headers as the server read them (lower-case names) and the query; out go those that the other side may see.
The one idea: everything passes unchanged except what speaks about this hop, proves who the caller is, was meant for the
policy, or could make the receiving server act on another request than the one that was examined. It adds no credential:
the target's own one is added where the request is built for that target.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias
from urllib.parse import unquote_plus

from policyd.proxy.gate import CREDENTIAL_QUERY_KEYS, NEVER_SENT

__all__ = ["Headers", "answer_headers", "onward_headers", "onward_query"]

Headers: TypeAlias = list[tuple[bytes, bytes]]

_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
"""RFC 9110 section 7.6.1, and what older software sends in their place."""

_TRUSTED_HOP: Final = frozenset(
    {
        b"via", b"true-client-ip", b"x-client-ip", b"x-forwarded", b"x-ssl-client-cert", b"x-client-cert",
        b"x-remote-user", b"x-envoy-original-path", b"x-csrf-token",
    }
)  # fmt: skip

_OVERRIDES: Final = frozenset(
    {b"x-http-method", b"x-http-method-override", b"x-method-override", b"x-original-url", b"x-rewrite-url"}
)
"""Headers by which some servers act on another method or path than the request line's, which the gate looked at."""

_DROPPED: Final = NEVER_SENT | _HOP | _TRUSTED_HOP | _OVERRIDES | {b"content-encoding"}
"""What the gate refuses to send, and more. `content-encoding` is `identity` here, or the request was refused."""

_DROPPED_PREFIXES: Final = (
    b"x-policyd-",
    b"x-forwarded-",
    b"x-amzn-oidc-",
    b"x-ms-client-principal",
    b"cf-access-",
)

_QUERY_CREDENTIALS: Final = frozenset(key.decode() for key in CREDENTIAL_QUERY_KEYS) | {
    "auth_token", "subscription-key", "ocp-apim-subscription-key", "x-amz-signature", "x-amz-credential", "code",
}  # fmt: skip

_ANSWER_DROPPED: Final = _HOP | {b"set-cookie", b"set-cookie2", b"alt-svc", b"refresh", b"location", b"content-location", b"link",
    b"x-should-retry",
}  # fmt: skip
"""Hop-by-hop headers, those by which a target would make the client keep state with it or leave the sidecar, and the one
by which an SDK is told to send again whatever the status."""


def onward_headers(headers: Iterable[tuple[bytes, bytes]], policy_headers: frozenset[bytes]) -> Headers:
    """The request headers that a target may see. `policy_headers`: every header that the policy reads."""
    out: Headers = []
    named: set[bytes] | None = None
    for pair in headers:
        name = pair[0]
        if name in _DROPPED:
            if name == b"connection" and pair[1].lower() not in {b"keep-alive", b"close"}:
                named = {token.strip().lower() for token in pair[1].split(b",")} | (named or set())
            continue
        if name in policy_headers or name.startswith(_DROPPED_PREFIXES):
            continue
        out.append(pair)
    return out if named is None else [pair for pair in out if pair[0] not in named]


def onward_query(query: bytes) -> bytes:
    """The query without the pairs that carry a credential, every other byte as it came."""
    if not query:
        return query
    pieces = re.split(rb"([&;])", query)
    out = b""
    for at in range(0, len(pieces), 2):
        if not _is_credential(pieces[at]):
            out += (pieces[at - 1] if out and at else b"") + pieces[at]
    return out


def _is_credential(pair: bytes) -> bool:
    name = unquote_plus(pair.split(b"=", 1)[0].decode("latin-1"))
    return name.strip().lower() in _QUERY_CREDENTIALS


def answer_headers(headers: Sequence[tuple[bytes, bytes]], ours: Headers) -> Headers:
    """The answer's headers for the client, ours after them. Names are lower-case."""
    out: Headers = []
    named: set[bytes] | None = None
    for pair in headers:
        name = pair[0]
        if name in _ANSWER_DROPPED:
            if name == b"connection" and pair[1].lower() not in {b"keep-alive", b"close"}:
                named = {token.strip().lower() for token in pair[1].split(b",")} | (named or set())
            continue
        if name.startswith((b"x-policyd", b"x_policyd")):
            continue
        out.append(pair)
    if named is not None:
        named.discard(b"content-length")
        out = [pair for pair in out if pair[0] not in named]
    out += ours
    return out
