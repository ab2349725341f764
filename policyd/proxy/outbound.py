"""What of a request's and an answer's envelope is passed on: headers and query. Pure, bytes in and bytes out.

In come the headers as the server read them (lower-case names) and the query; out go those that the other side may see.
The one idea: everything passes unchanged except what speaks about this hop, proves who the caller is, was meant for the
policy, or could make the receiving server act on another request than the one that was examined. It adds no credential:
the target's own one is added where the request is built for that target.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import compress, pairwise
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from policyd.proxy.gate import CREDENTIAL_QUERY_KEYS, NEVER_SENT

__all__ = [
    "Headers", "answer_headers", "is_plain_query", "known_headers", "known_query", "onward_headers", "onward_query", "said_beside",
]  # fmt: skip

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
        b"x-remote-user", b"x-envoy-original-path", b"x-csrf-token", b"x-webauth-user", b"x-authenticated-user", b"x-endpoint-api-userinfo",
        b"x-apigateway-api-userinfo", b"cf-connecting-ip", b"fly-client-ip", b"dpop", b"x-goog-user-project",
    }
)  # fmt: skip

_OVERRIDES: Final = frozenset(
    {b"x-http-method", b"x-http-method-override", b"x-method-override", b"x-original-url", b"x-rewrite-url"}
)
"""Headers by which some servers act on another method or path than the request line's, which the gate looked at."""

_DROPPED: Final = NEVER_SENT | _HOP | _TRUSTED_HOP | _OVERRIDES | {b"content-encoding", b"traceparent"}
"""What the gate refuses to send, and more. `content-encoding` is `identity` here, or the request was refused; a `traceparent` is
written anew for each attempt."""

_DROPPED_PREFIXES: Final = (
    b"x-policyd",
    b"x-forwarded-",
    b"x-amzn-oidc-",
    b"x-ms-client-principal",
    b"cf-access-",
    b"x-authentik-", b"x-consumer-", b"tailscale-user-",
    b"x-client-cert", b"x-ssl-client", b"ssl-client-",
    # By these a gateway that knows them sends a request to another place than the policy chose.
    b"x-portkey-", b"x-litellm-", b"helicone-", b"cf-aig-", b"x-openrouter-", b"x-bf-",
    # By these what stands before model servers chooses another model or machine, or sends the prompt to one that is named.
    b"x-gateway-", b"x-llm-d-", b"x-prefiller-", b"x-encoder-", b"x-kv-cache-", b"x-data-parallel-", b"x-worker-", b"x-dynamo-",
    b"x-smg-", b"x-sgl-", b"x-ai-eg-", b"x-higress-", b"x-envoy-", b"azureml-", b"x-amzn-sagemaker-", b"serve-multiplexed-",
)  # fmt: skip

_CREDENTIAL_WORDS: Final = frozenset(
    {
        "apikey", "apikeys", "accesskey", "auth", "authorization", "authorisation", "token", "secret", "credential",
        "credentials", "jwt", "password", "passwd",
    }
)  # fmt: skip
_CREDENTIAL_PAIRS: Final = frozenset({("api", "key"), ("api", "keys"), ("access", "key")})
"""Words of a name, in a row, by which it carries a credential, whoever invented the name. Counts (`max-tokens`) do not."""

_ONWARD_KNOWN: Final = frozenset({b"accept", b"content-type", b"anthropic-version", b"anthropic-beta"})
_OUR_AGENT: Final = (b"user-agent", b"policyd")
"""In place of the caller's: gateways can be set to choose a deployment by it, and some refuse a request without one."""
_ONWARD_QUERY: Final = frozenset({b"beta=true", b"beta=false"})

_QUERY_CREDENTIALS: Final = frozenset(key.decode() for key in CREDENTIAL_QUERY_KEYS) | {
    "accesstoken", "authtoken", "clientsecret",
    "auth_token", "subscription-key", "ocp-apim-subscription-key", "x-amz-signature", "x-amz-credential", "code",
}  # fmt: skip

MOST_KEPT: Final = 32
"""Names of a request's headers of which it is remembered together which may pass, if they are short."""

LONGEST_KEPT: Final = 128
"""Bytes of a header's name of which it is remembered what it is: a caller does not decide how much is kept."""

_QUERY: Final = re.compile(rb"[!$-;=?-Z\[\]_a-z~|]*")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN_WORDS: Final = re.compile(r"[^a-z0-9]+")

_ANSWER_DROPPED: Final = _HOP | {b"set-cookie", b"set-cookie2", b"alt-svc", b"refresh", b"location", b"content-location", b"operation-location",
    b"azure-asyncoperation", b"link",
    b"x-should-retry",
}  # fmt: skip
"""Hop-by-hop headers, those by which a target would make the client keep state with it or leave the sidecar, and the one
by which an SDK is told to send again whatever the status."""


def onward_headers(headers: Iterable[tuple[bytes, bytes]], policy_headers: frozenset[bytes]) -> Headers:
    """The request headers that a target may see. `policy_headers`: every header that the policy reads."""
    given = list(headers)
    names = tuple([name for name, _ in given])
    short = len(names) <= MOST_KEPT and len(b"".join(names)) <= MOST_KEPT * LONGEST_KEPT // 8
    out = list(compress(given, (_passing if short else _passing.__wrapped__)(names, policy_headers)))
    if b"connection" in names:
        named = {
            t.strip() for name, value in given if name == b"connection" for t in value.lower().split(b",")
        }
        out = [pair for pair in out if pair[0] not in named]
    return out


@lru_cache(maxsize=1024)
def _passing(names: tuple[bytes, ...], policy_headers: frozenset[bytes]) -> tuple[bool, ...]:
    """Of headers with these names, which may pass. Clients send the same ones with every request."""
    return tuple(
        not (
            name in _DROPPED
            or name in policy_headers
            or (_is_private if len(name) <= LONGEST_KEPT else _is_private.__wrapped__)(name)
        )
        for name in names
    )


@lru_cache(maxsize=4096)
def _is_private(name: bytes) -> bool:
    # Some servers do not tell the two apart.
    plain = name.replace(b"_", b"-")
    return (
        plain in _DROPPED or plain.startswith(_DROPPED_PREFIXES) or _like_a_credential(name.decode("latin-1"))
    )


def _like_a_credential(name: str) -> bool:
    """Whether a word of the name says so, however the words are joined: by signs, or in camel case."""
    for spelling in (name.lower(), _HUMP.sub("-", name).lower()):
        words = [word for word in _BETWEEN_WORDS.split(spelling) if word]
        if not _CREDENTIAL_WORDS.isdisjoint(words) or not _CREDENTIAL_PAIRS.isdisjoint(pairwise(words)):
            return True
    return False


def known_headers(headers: Headers) -> Headers:
    """Of headers that may pass, those that a target may see which sends requests on."""
    known = [p for p in headers if p[0] in _ONWARD_KNOWN or p[0].startswith(b"x-stainless-")]
    return [*known, _OUR_AGENT]


def known_query(query: bytes) -> bytes:
    """The same for the query."""
    return b"&".join(pair for pair in re.split(rb"[&;]", query) if pair in _ONWARD_QUERY)


_SAYS_NOTHING: Final = _ONWARD_KNOWN | {
    b"accept-encoding", b"accept-language", b"cache-control", b"content-length", b"host", b"user-agent", b"x-app", b"date",
    b"anthropic-dangerous-direct-browser-access", b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-dest",
}  # fmt: skip


def said_beside(
    headers: Iterable[tuple[bytes, bytes]], query: bytes, policy_headers: frozenset[bytes]
) -> tuple[tuple[str, str], ...]:
    """What of headers and query could hold a secret and passes to a target: the values alone, because names such as
    `x-session` would make any value look like one. Versions of clients are not looked at."""
    others = [p for p in headers if p[0] not in _SAYS_NOTHING and not p[0].startswith(b"x-stainless-")]
    values = [value for _, value in onward_headers(others, policy_headers)] if others else []
    out = [("headers", b"\n".join(values).decode("utf-8", "replace"))] if values else []
    if query and query not in _ONWARD_QUERY:
        said = [pair.partition(b"=")[2] or pair for pair in re.split(rb"[&;]", onward_query(query))]
        out.append(("query", b"\n".join(said).decode("utf-8", "replace")))
    return tuple(out)


def is_plain_query(query: bytes) -> bool:
    """Whether the query has only characters that a query may have (RFC 3986), and those that servers do not disagree on."""
    return _QUERY.fullmatch(query) is not None


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
    name = unquote_to_bytes(pair.split(b"=", 1)[0].replace(b"+", b" ")).decode("latin-1")
    # Some servers cut a key off at a NUL, and some read `key[]` as a list.
    plain = re.split(r"[\[\0]", name)[0]
    # `$key`, `$httpHeaders`, `$httpMethod`, `$userProject`: Google's servers read them as the headers that they stand for.
    return plain.strip().startswith("$") or any(
        n.strip().lower() in _QUERY_CREDENTIALS or _like_a_credential(n) for n in (name, plain)
    )


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
