"""The lines between the chunks of a request's body, read once more and strictly.

In come the bytes behind a request's head as they arrive; out goes whether they still are plain chunks. The one idea: a
chunk's line is its size in hexadecimal digits and nothing else. RFC 9112 lets extensions follow the size and has them
ignored, and where they end is what servers in a row disagree about, so what one takes for an extension is a request to
another. No client sends any. Chunks that are tiny and many are not taken either: each costs as much work as a
large one. It looks at no content and bounds no sizes: the parser does.
"""

import re
from typing import Final

__all__ = ["ChunkLines", "end_of_head"]

_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}\r\n")
_LONGEST: Final = 18

MANY: Final = 4096
"""Chunks of a body that may be as small as they like."""

SMALL: Final = 64
"""Bytes that the chunks of a longer body have on average, at least."""

_HEAD_ENDS: Final = b"\r\n\r\n"


class ChunkLines:
    """One body. Once it was not plain it stays so."""

    __slots__ = ("_count", "_line", "_over", "_size", "_skip", "plain")

    def __init__(self) -> None:
        self.plain = True
        self._line = b""
        self._skip = 0
        self._count = self._size = 0
        self._over = False

    def feed(self, data: bytes) -> bool:
        """Whether everything so far, these bytes with it, is plain. Behind the last chunk nothing is looked at."""
        at, size = 0, len(data)
        while at < size and self.plain and not self._over:
            if self._skip:
                step = min(self._skip, size - at)
                self._skip -= step
                at += step
                continue
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or size]
            at = end or size
            if end:
                self._take(self._line)
            elif len(self._line) > _LONGEST or b";" in self._line:
                self.plain = False
        return self.plain

    def _take(self, line: bytes) -> None:
        self._line = b""
        if _SIZE.fullmatch(line) is None:
            self.plain = False
            return
        length = int(line, 16)
        self._over = length == 0
        self._count += 1
        self._size += length
        if self._count > MANY and self._size < self._count * SMALL:
            self.plain = False
        self._skip = length + 2


def end_of_head(before: bytes, data: bytes) -> int:
    """Where in `data` the body begins. `before` are the head's bytes that came earlier, its last three at least; without
    any, empty lines in front of the head do not count. INVARIANT: the head ends in `data`."""
    if not before:
        lead = len(data) - len(data.lstrip(b"\r\n"))
        return data.index(_HEAD_ENDS, lead) + 4
    kept = before[-3:]
    return (kept + data).index(_HEAD_ENDS) + 4 - len(kept)
