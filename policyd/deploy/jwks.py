"""An issuer's public keys, from the text of a key set (RFC 7517).

In: JSON. Out: each key that can verify a signature, with the algorithms that its kind allows, whatever a token asks for. The
one idea: a key says what it may be used for, and a token cannot: so an RSA key is never a password, and a key with a declared
algorithm is for that one alone. Keys that are secret, private, too short or of another use are passed over.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

__all__ = ["PublicKey", "read_keys"]

MOST_KEYS: Final = 256
SHORTEST_RSA: Final = 2048

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that can verify, and by which algorithms it may. `kid` is None where the key has no name."""

    kid: str | None
    algorithms: frozenset[str]
    key: Any


def read_keys(text: str) -> tuple[PublicKey, ...]:
    """Raises `ValueError`, with a sentence that quotes nothing, where there is no key that can be used."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    written = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(written, list):
        raise ValueError("it is no key set: an object with a list `keys`")
    found = tuple(key for item in written[:MOST_KEYS] if (key := _key_of(item)) is not None)
    if not found:
        raise ValueError(
            "it holds no public key that verifies signatures (RSA from 2048 bits, P-256, P-384, P-521, Ed25519)"
        )
    return found


def _key_of(item: object) -> PublicKey | None:
    if not isinstance(item, dict) or "d" in item or item.get("use", "sig") != "sig":
        return None
    operations = item.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    kid = item.get("kid")
    declared = item.get("alg")
    if not isinstance(kid, str | None) or not isinstance(declared, str | None):
        return None
    try:
        found = _read(item)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    if found is None:
        return None
    algorithms, key = found
    if declared is not None:
        algorithms &= {declared}
    return PublicKey(kid, algorithms, key) if algorithms else None


def _read(item: Mapping[str, Any]) -> tuple[frozenset[str], Any] | None:
    match item.get("kty"):
        case "RSA":
            key = RSAAlgorithm.from_jwk(dict(item))
            return (_RSA, key) if key.key_size >= SHORTEST_RSA else None
        case "EC" if item.get("crv") in _CURVES:
            return frozenset({_CURVES[item["crv"]]}), ECAlgorithm.from_jwk(dict(item))
        case "OKP" if item.get("crv") == "Ed25519":
            return frozenset({"EdDSA"}), OKPAlgorithm.from_jwk(dict(item))
        case _:
            return None
