"""Ids of decisions: 96 random bits each, in hexadecimal.

The one idea: the system is asked for the random bytes of many ids at once, because asking costs more than using them. Of one
event loop.
"""

import os
from collections.abc import Callable
from typing import Final

__all__ = ["decision_ids"]

BYTES: Final = 12
AT_ONCE: Final = 256


def decision_ids() -> Callable[[], str]:
    """A function that gives a new id at every call."""
    ready: list[str] = []

    def another() -> str:
        if not ready:
            drawn = os.urandom(BYTES * AT_ONCE).hex()
            ready.extend(drawn[at : at + 2 * BYTES] for at in range(0, len(drawn), 2 * BYTES))
        return ready.pop()

    return another
