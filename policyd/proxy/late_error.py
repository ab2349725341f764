"""Whose error a stream said that had begun well, if it said one. Pure.

In come the pieces of a stream of server-sent events as the target sent them; out goes, once it is over, whether its last
events say an error, and whether that is the target's or the request's. The one idea: an error ends a stream, so it is
enough to keep the last bytes and to look at them once. It repeats nothing of what it reads.
"""

import re
from typing import Final

from policyd.proxy.opening import END, Whose, data_of, whose_error

__all__ = ["KEPT", "LateError"]

KEPT: Final = 16 * 1024
"""Bytes of a stream's end in which an error has to be to be seen."""

_LOOKED_AT: Final = 4
"""Last events that are looked at: `[DONE]`, comments or the usage may stand behind an error."""

_SAYS_ONE: Final = re.compile(rb'"error"\s*:\s*[^\sn]|"type"\s*:\s*"error"')
"""Without which nothing is parsed."""


class LateError:
    """Of one stream."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, piece: bytes) -> None:
        kept = self._kept
        kept += piece
        if len(kept) > 2 * KEPT:
            del kept[:-KEPT]

    def whose(self) -> Whose | None:
        """None where it said none. Where it said two, the request's counts: another target would be asked the same."""
        kept = bytes(self._kept[-KEPT:])
        if _SAYS_ONE.search(kept) is None:
            return None
        said = [data for event in END.split(kept) if (data := data_of(event))]
        found = {whose_error(data) for data in said[-_LOOKED_AT:]}
        return Whose.REQUEST if Whose.REQUEST in found else Whose.TARGET if Whose.TARGET in found else None
