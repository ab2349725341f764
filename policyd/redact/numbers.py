"""Whether the numbers of a body are what they were when the body is written anew.

In come the bytes of a body; out goes yes or no. The one idea: the reader makes a double of a whole number beyond 64 bits,
and of one with more digits than a double has, so a body with such a number is not written anew.
"""

import re
from typing import Final

from policyd.traffic.body import outside_strings

__all__ = ["keeps_numbers"]

_LONG: Final = re.compile(rb"[0-9]{19}")
_NUMBER: Final = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_DIGITS: Final = 17
"""Digits behind the point that a double may need to be written."""


def keeps_numbers(raw: bytes) -> bool:
    if _LONG.search(raw) is None:
        return True
    return all(
        _is_kept(number[0])
        for piece in outside_strings(raw)
        if _LONG.search(piece) is not None
        for number in _NUMBER.finditer(piece)
    )


def _is_kept(number: bytes) -> bool:
    if number.lstrip(b"-").isdigit():
        # Python reads no number of thousands of digits.
        return len(number) <= 20 and -(1 << 63) <= int(number) < 1 << 64
    return len(re.sub(rb"[eE].*|[-.]", b"", number).lstrip(b"0")) <= _DIGITS
