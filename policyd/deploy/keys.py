"""API keys of callers, kept only as hashes.

A key is 128 bits or more of randomness, so a plain SHA-256 is enough: there is nothing to guess.
"""

import hashlib

__all__ = ["hash_key"]


def hash_key(text: str) -> str:
    """The SHA-256 of an API key, in lower-case hex, as `[[identity.keys]]` holds it."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
