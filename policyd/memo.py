"""A bounded memory from text to an answer, shared between threads.

The key is a hash of the text, so the memory never holds a prompt. Bounded by bytes: the least recently used go first.
"""

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock
from typing import Final, Generic, TypeVar

__all__ = ["Memo"]

A = TypeVar("A")

_PIECE: Final = 64 * 1024


class Memo(Generic[A]):
    """At most `limit` bytes of entries that cost `cost` bytes each (hash, answer, and what the dictionary needs)."""

    __slots__ = ("_cost", "_entries", "_limit", "_lock", "_salt")

    def __init__(self, limit: int, *, salt: bytes = b"", cost: int = 160) -> None:
        self._limit = limit
        self._cost = cost
        self._salt = salt[:64]
        self._entries: OrderedDict[bytes, A] = OrderedDict()
        self._lock = Lock()

    def key(self, text: str) -> bytes:
        if len(text) <= _PIECE:
            return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._salt).digest()
        # A text of megabytes must not hold the interpreter while it is encoded.
        whole = blake2b(digest_size=16, key=self._salt)
        for at in range(0, len(text), _PIECE):
            whole.update(text[at : at + _PIECE].encode("utf-8", "surrogatepass"))
        return whole.digest()

    def get(self, key: bytes) -> A | None:
        with self._lock:
            answer = self._entries.get(key)
            if answer is not None:
                self._entries.move_to_end(key)
            return answer

    def put(self, key: bytes, answer: A) -> None:
        with self._lock:
            self._entries[key] = answer
            self._entries.move_to_end(key)
            while len(self._entries) * self._cost > self._limit and self._entries:
                self._entries.popitem(last=False)

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)
