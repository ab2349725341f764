"""Callers known by tokens that an issuer signed (RFC 7519, with the advice of RFC 8725).

In come a request's headers and the time; out go the claims that the deployment names, or why the token counts for nothing. The
one idea: which keys, algorithms, issuer and audience there are is the deployment's word and never the token's; what a token
says of itself only picks among them. A token is verified once and then known by its hash, until it expires or the keys change.
"""

import binascii
import json
import math
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

import jwt
from jwt.exceptions import InvalidSignatureError, PyJWTError

from policyd.deploy.model import JwtIdentity
from policyd.proxy.caller import Claims, Peer, Shown, Unsettled, is_token, presented_keys
from policyd.proxy.identity_keys import KeyRing
from policyd.proxy.refusals import Refusal, refuse
from policyd.traffic.refused import quoted

__all__ = ["Tokens"]

LONGEST_TOKEN: Final = 16 * 1024
MOST_KNOWN: Final = 4096
MOST_TRIED: Final = 8
"""Keys that are tried for a token which names none."""

_TYPES: Final = frozenset({"jwt", "at+jwt"})


class _Known(NamedTuple):
    claims: Claims
    since: float
    until: float
    version: int


class Tokens:
    """The tokens of one issuer. `alone`: no other issuer is asked, so a token of another one is refused here."""

    def __init__(self, identity: JwtIdentity, ring: KeyRing | None, *, alone: bool = True) -> None:
        self._identity = identity
        self._ring = ring
        self._alone = alone
        self._known: dict[bytes, _Known] = {}

    def __call__(self, headers: Shown, _: Peer | None, at: float) -> Claims | Refusal | Unsettled | None:
        shown = presented_keys(headers)
        token = next((key for key in shown if is_token(key)), None)
        if token is None:
            return None
        if len(shown) > 1:
            return _nobody("two credentials leave open who is asking: send one")
        ring = self._ring
        if ring is not None and not ring.usable:
            return _without_keys(ring)
        digest = sha256(token).digest()
        known = self._known.get(digest)
        version = 0 if ring is None else ring.version
        if known is not None and known.version == version and known.since <= at < known.until:
            return known.claims
        found = self._verified(token, at)
        if isinstance(found, _Known):
            if len(self._known) >= MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[digest] = found
            return found.claims
        return found

    def _verified(self, token: bytes, at: float) -> _Known | Refusal | Unsettled | None:
        if len(token) > LONGEST_TOKEN:
            return _nobody("the token is longer than any that is taken")
        if not self._alone and _issuer_of(token) != self._identity.issuer:
            return None
        try:
            head = jwt.get_unverified_header(token)
        except PyJWTError:
            return _nobody("the token cannot be read")
        algorithm, kid = head.get("alg"), head.get("kid")
        if algorithm not in self._identity.algorithms:
            return _nobody("the token is signed by an algorithm that this deployment does not take")
        if "crit" in head or _type_of(head) not in _TYPES or not isinstance(kid, str | None):
            return _nobody("the token is of a kind that this deployment does not take")
        if self._ring is None:
            assert self._identity.secret is not None  # INVARIANT: of the model
            return self._signed_by((self._identity.secret.value,), token, algorithm, at, version=0)
        keys = self._ring.find(kid, algorithm)
        if not keys and self._ring.may_look:
            return Unsettled(self._ring.look, _unknown_key())
        if not keys:
            return _unknown_key()
        return self._signed_by(
            [k.key for k in keys[:MOST_TRIED]], token, algorithm, at, version=self._ring.version
        )

    def _signed_by(
        self, keys: Any, token: bytes, algorithm: str, at: float, *, version: int
    ) -> _Known | Refusal:
        for key in keys:
            try:
                payload = jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    audience=self._identity.audience,
                    issuer=self._identity.issuer,
                    # The time is asked below, of the clock of the request.
                    options={
                        "require": ["exp", "iss", "aud"],
                        "verify_exp": False,
                        "verify_nbf": False,
                        "verify_iat": False,
                    },
                )
            except InvalidSignatureError:
                continue
            except (PyJWTError, ValueError, TypeError) as error:
                return _nobody(_WHY.get(type(error).__name__, "the token is not valid"))
            return self._in_time(payload, at, version)
        return _nobody("the token's signature is not the issuer's")

    def _in_time(self, payload: Mapping[str, Any], at: float, version: int) -> _Known | Refusal:
        leeway = self._identity.leeway
        until, since = _time(payload, "exp", math.nan), _time(payload, "nbf", -math.inf)
        issued = _time(payload, "iat", -math.inf)
        if not math.isfinite(until) or math.isnan(since) or math.isnan(issued):
            return _nobody("the token says a time that is none")
        if at >= until + leeway:
            return _nobody("the token has expired: get a new one")
        if at < max(since, issued) - leeway:
            return _nobody("the token is not valid yet: compare the clocks")
        for path in self._identity.require:
            if _at(payload, path) is None:
                return _nobody(f"the token has no claim `{'.'.join(path)}`, which every caller must have")
        claims: dict[str, str] = {}
        for name, path in self._identity.claims:
            value = _at(payload, path)
            text = _text(value)
            if text is not None:
                claims[name] = text
            elif value is not None:
                return _ambiguous(path, value)
        return _Known(claims, max(since, issued) - leeway, until + leeway, version)


_WHY: Final = {
    "InvalidAudienceError": "the token was made for another service",
    "InvalidIssuerError": "the token is another issuer's",
    "MissingRequiredClaimError": "the token lacks one of `exp`, `iss` and `aud`",
}


def _nobody(message: str) -> Refusal:
    return refuse("caller_unidentified", message)


def _unknown_key() -> Refusal:
    return _nobody("the token is signed by a key that its issuer does not publish")


def _without_keys(ring: KeyRing) -> Refusal | Unsettled:
    refusal = refuse(
        "internal_identity", "the keys of the tokens' issuer cannot be had, so nobody can be known by one"
    )
    return Unsettled(ring.look, refusal) if ring.may_look else refusal


def _ambiguous(path: tuple[str, ...], value: object) -> Refusal:
    kind = (
        "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else "no plain value"
    )
    said = quoted(".".join(path))
    return refuse(
        "caller_bad_claim",
        f"the token's claim {said} is {kind}, and which of its values counts is not said; the issuer has to put one value there",
        field=".".join(path),
    )


def _type_of(head: Mapping[str, Any]) -> str:
    kind = head.get("typ", "JWT")
    return kind.lower().removeprefix("application/") if isinstance(kind, str) else ""


def _issuer_of(token: bytes) -> object:
    """What the token says of its issuer, to find the one that is asked to verify it."""
    part = token.split(b".")[1]
    try:
        payload = json.loads(urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return payload.get("iss") if isinstance(payload, dict) else None


def _time(payload: Mapping[str, Any], name: str, absent: float) -> float:
    """Seconds; not a number where the claim is there and says no time."""
    value = payload.get(name)
    if value is None:
        return absent
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _at(payload: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The claim's value. An empty one is none: issuers write it for who has no value there, and it would otherwise be a team
    like any other, which `unknown reject` lets pass."""
    value: Any = payload
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return None if isinstance(value, str) and not value.strip() else value


def _text(value: object) -> str | None:
    """A claim's value as text, or None where it has no single one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value) if not isinstance(value, int) or abs(value) < 2**63 else None
    return None
