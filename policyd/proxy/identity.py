"""Who is calling: from what a request shows to the claims that the policy may read.

In come the deployment's identity, and of each request its headers, its connection and the time; out go the claims, or why there
are none. The one idea: the ways to be known are asked in the order in which the deployment names them, and the first for which
the caller shows something decides. It keeps no session; only a token whose keys are not here yet asks somebody.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TypeAlias, assert_never

from policyd.deploy.model import (
    ApiKeyIdentity,
    HopIdentity,
    Identity,
    JwtIdentity,
    KeySet,
    Listen,
    LoopbackIdentity,
    MtlsIdentity,
    OneIdentity,
    SeveralIdentities,
)
from policyd.proxy.caller import Claims, Peer, Shown, Unsettled, Way, is_token, presented_keys
from policyd.proxy.identity_keys import KeyRing
from policyd.proxy.identity_names import Certificates, Hop
from policyd.proxy.refusals import Refusal, refuse

__all__ = ["Claims", "Identify", "Unsettled", "identify_by", "presented_keys"]

Identify: TypeAlias = Callable[[Shown, Peer | None, float], Claims | Refusal | Unsettled]


def identify_by(
    identity: Identity, listen: Listen | None = None, rings: Mapping[KeySet, KeyRing] | None = None
) -> Identify:
    """The function that the deployment's identity stands for. `listen` is where its callers come in, `rings` hold the keys of
    its issuers."""
    if isinstance(identity, LoopbackIdentity):
        fixed = dict(identity.claims)
        return lambda *_: fixed
    of = identity.ways if isinstance(identity, SeveralIdentities) else (identity,)
    ways = tuple(_way(one, of, listen or Listen(), rings or {}) for one in of)
    nobody = refuse("caller_unidentified", f"nothing here says who is asking: {_wanted(of)}")

    def identify(headers: Shown, peer: Peer | None, at: float) -> Claims | Refusal | Unsettled:
        for way in ways:
            found = way(headers, peer, at)
            if found is not None:
                return found
        return nobody

    return identify


def _way(
    one: OneIdentity, of: tuple[OneIdentity, ...], listen: Listen, rings: Mapping[KeySet, KeyRing]
) -> Way:
    issuers = sum(isinstance(other, JwtIdentity) for other in of)
    match one:
        case LoopbackIdentity(claims):
            fixed = dict(claims)
            return lambda *_: fixed
        case ApiKeyIdentity():
            return _by_key(one, leave_tokens=issuers > 0)
        case JwtIdentity():
            from policyd.proxy.identity_tokens import Tokens  # noqa: PLC0415  cryptography is heavy, and few need it

            return Tokens(one, None if one.keys is None else rings[one.keys], alone=issuers == 1)
        case MtlsIdentity():
            return Certificates(one, None if listen.tls is None else listen.tls.client_ca)
        case HopIdentity():
            return Hop(one, unix=listen.path is not None)
        case _:
            assert_never(one)


def _by_key(identity: ApiKeyIdentity, *, leave_tokens: bool) -> Way:
    """The key is hashed before it is looked up, so that the time a wrong one takes says nothing about the right ones.
    `leave_tokens`: what looks like a token is another way's."""
    claims_of = identity.by_hash()
    ends = {key.sha256: key.until for key in identity.keys if key.until is not None}

    def identify(headers: Shown, _: Peer | None, at: float) -> Claims | Refusal | None:
        keys = presented_keys(headers)
        if leave_tokens and any(is_token(key) for key in keys):
            return None
        if not keys:
            return None
        hashes = [sha256(key).hexdigest() for key in keys]
        claims = claims_of.get(hashes[0])
        # Two keys of two callers would leave open who is asking.
        if claims is None or any(claims_of.get(other) is not claims for other in hashes):
            return refuse("caller_unidentified", "the API key is not one that this deployment knows")
        if ends and any(at >= ends.get(one, at + 1) for one in hashes):
            return refuse("caller_unidentified", "the API key has ended: ask for a new one")
        return claims

    return identify


def _wanted(of: tuple[OneIdentity, ...]) -> str:
    said: dict[str, None] = {}
    for one in of:
        match one:
            case ApiKeyIdentity():
                said["send an API key as `Authorization: Bearer …`, `x-api-key` or `api-key`"] = None
            case JwtIdentity():
                said["send a token of the issuer as `Authorization: Bearer …`, `x-api-key` or `api-key`"] = (
                    None
                )
            case MtlsIdentity():
                said["connect with a certificate"] = None
            case HopIdentity():
                said["come through the trusted hop"] = None
            case _:
                pass
    return ", or ".join(said)
