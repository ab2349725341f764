"""How long to wait before a target is asked again. Pure: the drawn number is passed in.

In come an answer's headers or a time; out go seconds. The one idea: those who were refused together must not come back
together, so every wait has a drawn part.
"""

import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["again_after", "retry_after"]

_NUMBER: Final = re.compile(rb"[0-9]{1,9}(?:\.[0-9]{1,6})?")
LEAST: Final = 0.05
"""Seconds before a connection is tried again."""


def again_after(seconds: float, drawn: float) -> float:
    """At least `seconds`, and a drawn part more: up to 100 ms and a tenth. `drawn` is in [0, 1)."""
    return max(seconds, LEAST) + drawn * (0.1 + seconds / 10)


def retry_after(headers: Sequence[tuple[bytes, bytes]]) -> float | None:
    """The seconds that `Retry-After` asks for (RFC 9110 section 10.2.3), or the milliseconds of `retry-after-ms`, which
    some APIs send beside it. A date counts from the answer's own `Date`: no clock but the target's is asked. None where
    it says nothing that can be read."""
    given = {
        name: value.strip() for name, value in headers if name in {b"retry-after", b"retry-after-ms", b"date"}
    }
    milliseconds = given.get(b"retry-after-ms", b"")
    if _NUMBER.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    said = given.get(b"retry-after", b"")
    if _NUMBER.fullmatch(said):
        return float(said)
    try:
        until = parsedate_to_datetime(said.decode("ascii"))
        now = parsedate_to_datetime(given.get(b"date", b"").decode("ascii"))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
