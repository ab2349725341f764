"""The width and height of an image, from the first bytes of its base64.

Comes in: a `data:` URL or plain base64. Goes out: width and height in pixels, or None where they cannot be told.

The one idea: base64 can be entered anywhere, so only the few bytes that matter are decoded, wherever they stand: a photo's
preview and colour profile are stepped over, and the work is bounded by a number of steps, not by the size of the image.

It looks at PNG, JPEG, GIF and WebP, by their first bytes and not by the media type, which is the caller's word. It does not
decode an image, nor say whether one is valid. A GIF counts with its first frame, which may be larger than what it announces.
"""

import base64
import binascii
from typing import Final

__all__ = ["size_of"]

MOST_STEPS: Final = 256
"""Segments of a JPEG and blocks of a GIF that are stepped over before the size stands there."""

LONGEST_HEAD: Final = 256
"""Characters of a `data:` URL before its payload."""

_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers that begin a frame, and say its size."""

_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG's markers without a length behind them."""


def size_of(image: str) -> tuple[int, int] | None:
    """Width and height, each at least 1."""
    start = 0
    if image.startswith("data:"):
        start = image.find(",", 0, LONGEST_HEAD) + 1
        if start == 0 or not image[:start].lower().endswith(";base64,"):
            return None
    head = _bytes_at(image, start, 0, 30)
    if head is None:
        return None
    size: tuple[int, int] | None = None
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        size = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    elif head.startswith(b"\xff\xd8\xff"):
        size = _jpeg(image, start)
    elif head.startswith((b"GIF87a", b"GIF89a")):
        size = _gif(image, start, head)
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        size = _webp(head)
    return size if size is not None and min(size) > 0 else None


def _bytes_at(image: str, start: int, at: int, size: int) -> bytes | None:
    """These bytes of what the base64 from `start` on holds; None where it does not hold them."""
    first = at // 3 * 4
    text = image[start + first : start + -(-(at + size) // 3) * 4]
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)[at % 3 :][:size]
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == size else None


def _jpeg(image: str, start: int) -> tuple[int, int] | None:
    at = 2
    for _ in range(MOST_STEPS):
        found = _bytes_at(image, start, at, 9)
        if found is None or found[0] != 0xFF:
            return None
        marker = found[1]
        if marker in _FRAMES:
            return int.from_bytes(found[7:9], "big"), int.from_bytes(found[5:7], "big")
        if marker in {0xD9, 0xDA}:
            return None
        if marker == 0xFF:
            at += 1
        else:
            at += 2 if marker in _BARE else 2 + int.from_bytes(found[2:4], "big")
    return None


def _gif(image: str, start: int, head: bytes) -> tuple[int, int] | None:
    width, height = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    at = 13 + (3 << (head[10] & 7) + 1 if head[10] & 0x80 else 0)
    inside = False
    for _ in range(MOST_STEPS):
        found = _bytes_at(image, start, at, 1)
        if found is None:
            return None
        if inside:
            # A block inside an extension begins with its length; one of length 0 ends it.
            at += 1 + found[0]
            inside = found[0] != 0
        elif found[0] == 0x21:
            at, inside = at + 2, True
        elif found[0] == 0x2C:
            frame = _bytes_at(image, start, at + 1, 8)
            if frame is None:
                return None
            left, top, wide, high = (int.from_bytes(frame[n : n + 2], "little") for n in (0, 2, 4, 6))
            return max(width, left + wide), max(height, top + high)
        else:
            return None
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None
