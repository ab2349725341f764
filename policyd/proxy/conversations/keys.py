"""Under what a conversation is known: a keyed hash of who calls and of the id that was said.

In come a caller's claims and ids; out go keys. The one idea: an id is worth nothing without its caller, so one caller cannot
ask for, raise or use up another's conversation, and what is stored shows neither.
"""

import os
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

from policyd.proxy.conversations.store import AGENT, STATE

__all__ = ["Keys"]

_SIZE: Final = 16


class Keys:
    """`secret`: the same for all sidecars that share a store, or None for one of this process."""

    __slots__ = ("_key",)

    def __init__(self, secret: str | None) -> None:
        self._key = os.urandom(32) if secret is None else blake2b(secret.encode(), digest_size=32).digest()

    def of(self, claims: Mapping[str, str], agent: Iterable[str], state: Iterable[str]) -> tuple[bytes, ...]:
        """Keys of what a client says of its conversation, and of what a server keeps; each once."""
        caller = blake2b(key=self._key, digest_size=32)
        for name in sorted(claims):
            for part in (name.encode(), claims[name].encode("utf-8", "surrogatepass")):
                caller.update(len(part).to_bytes(4, "little") + part)
        return tuple(
            dict.fromkeys(
                kind + _hashed(caller.copy(), kind, text)
                for kind, texts in ((AGENT, agent), (STATE, state))
                for text in texts
            )
        )


def _hashed(caller: blake2b, kind: bytes, text: str) -> bytes:
    caller.update(b"\xff\xff\xff\xff" + kind + text.encode("utf-8", "surrogatepass"))
    return caller.digest()[:_SIZE]
