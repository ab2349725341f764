"""Tells a person that a target cannot be reached for a reason that only a person can mend, and that it is reached again.

In comes what came of each connect; out go few lines. The one idea: what does not go away by itself (a server that does not
prove itself, an address that is not allowed) is told when it begins, and at most once a minute however often it comes and goes.
A target that is down is told of by answers, breakers and health instead. Of one event loop.
"""

from collections.abc import Callable
from time import monotonic
from typing import Final

from policyd.proxy.upstream.errors import Kind, UpstreamUnreachable

__all__ = ["AGAIN_SECONDS", "Telling"]

AGAIN_SECONDS: Final = 60.0
_TOLD: Final = frozenset({Kind.TLS, Kind.ADDRESS_NOT_ALLOWED})


class Telling:
    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._say = say
        self._clock = clock
        self._said: dict[str, str] = {}
        self._at: dict[str, float] = {}

    def failed(self, error: UpstreamUnreachable) -> None:
        name, now = error.target, self._clock()
        if error.kind not in _TOLD or self._said.get(name) == error.detail:
            return
        if now - self._at.get(name, -AGAIN_SECONDS) >= AGAIN_SECONDS:
            self._at[name] = now
            self._said[name] = error.detail
            self._say(f"no connection to the target `{name}`: {error.detail}")

    def reached(self, target: str) -> None:
        if self._said.pop(target, None) is not None:
            self._say(f"the target `{target}` is reached again")
