"""Who is calling: from the headers of a request to the claims that the policy may read. Pure.

In come the deployment's identity and a request's headers; out go the claims, or why there are none. The one idea: the
key is hashed before it is looked up, so that the time a wrong one takes says nothing about the right ones. It keeps no
session and asks nobody.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import TypeAlias, assert_never

from policyd.deploy.model import ApiKeyIdentity, Identity, LoopbackIdentity
from policyd.proxy.refusals import Refusal, refuse

__all__ = ["Claims", "Identify", "identify_by", "presented_keys"]

Claims: TypeAlias = Mapping[str, str]
Identify: TypeAlias = Callable[[Iterable[tuple[bytes, bytes]]], Claims | Refusal]

_KEY_HEADERS = frozenset({b"x-api-key", b"api-key"})


def presented_keys(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
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


def identify_by(identity: Identity) -> Identify:
    """The function that the deployment's identity stands for."""
    match identity:
        case LoopbackIdentity(claims):
            fixed = dict(claims)
            return lambda _: fixed
        case ApiKeyIdentity():
            return _by_key(identity.by_hash())
        case _:
            assert_never(identity)


def _by_key(known: Mapping[str, Claims]) -> Identify:
    def identify(headers: Iterable[tuple[bytes, bytes]]) -> Claims | Refusal:
        keys = presented_keys(headers)
        if not keys:
            return refuse(
                "caller_unidentified",
                "no API key: send one as `Authorization: Bearer …`, `x-api-key` or `api-key`",
            )
        found = [known.get(sha256(key).hexdigest()) for key in keys]
        claims = found[0]
        # Two keys of two callers would leave open who is asking.
        if claims is None or any(other is not claims for other in found):
            return refuse("caller_unidentified", "the API key is not one that this deployment knows")
        return claims

    return identify
