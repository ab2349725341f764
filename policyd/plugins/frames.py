"""Messages between policyd and a classifier's process: four bytes of length, then JSON."""

from typing import Any, Final

import orjson

__all__ = ["HEAD", "LONGEST", "framed", "length_of", "unframed"]

HEAD: Final = 4
LONGEST: Final = 256 << 20
"""Bytes of a message. The texts of a request are at most some times its body."""


def framed(message: object) -> bytes:
    body = orjson.dumps(message)
    if len(body) > LONGEST:
        raise ValueError(f"a message of {len(body)} bytes, which is more than {LONGEST}")
    return len(body).to_bytes(HEAD, "big") + body


def length_of(head: bytes) -> int:
    length = int.from_bytes(head, "big")
    if length > LONGEST:
        raise ValueError(f"a message of {length} bytes, which is more than {LONGEST}")
    return length


def unframed(body: bytes) -> Any:
    return orjson.loads(body)
