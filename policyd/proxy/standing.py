"""Which targets are out of service now, and why. Kept in memory, for one event loop; no I/O.

In comes what was found out about a target (`take_out`, `bring_back`); out goes whether it may be tried (`is_out`). The one
idea: a target is out as long as at least one reason stands, each reason is taken back by whoever found it, and being out
only ever narrows a plan: nothing here can add a target to one. What passive observation does about a target that fails
under load is the breaker's affair, and not kept here.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Out", "TargetsOut", "Why"]


class Why(StrEnum):
    """Why a target is out: a closed set, fit for a metric's label."""

    UNHEALTHY = "unhealthy"
    """its health path did not answer as it should, several times in a row"""
    MODEL_ABSENT = "model_absent"
    """it does not list a model that its binding sends"""
    CONTEXT_SMALLER = "context_smaller"
    """it reads less of a prompt than its `context` fact says"""
    DIALECT_NOT_SPOKEN = "dialect_not_spoken"
    """it does not answer an endpoint of its `speaks` fact"""
    REMOTE_MODELS = "remote_models"
    """it says `location on_prem` and serves models that run elsewhere"""


@dataclass(frozen=True, slots=True)
class Out:
    """One reason for which a target is out. `since` is a time of the monotonic clock; `detail` is a sentence of policyd's
    own that quotes no answer and no credential, bounded and printable."""

    reason: Why
    detail: str
    since: float


class TargetsOut:
    """INVARIANT: a target is a key of `_out` exactly as long as it is out."""

    __slots__ = ("_clock", "_out")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._out: dict[str, dict[Why, Out]] = {}

    def take_out(self, target: str, why: Why, detail: str) -> bool:
        """From now on the target is out for this reason. Whether that is new: a reason that stands keeps its `since`, and
        the newest detail."""
        reasons = self._out.setdefault(target, {})
        before = reasons.get(why)
        reasons[why] = Out(why, detail, self._clock() if before is None else before.since)
        return before is None

    def bring_back(self, target: str, why: Why) -> bool:
        """This reason no longer stands; others may. Whether it stood."""
        reasons = self._out.get(target)
        if reasons is None or reasons.pop(why, None) is None:
            return False
        if not reasons:
            del self._out[target]
        return True

    def is_out(self, target: str) -> Out | None:
        """The reason that has stood longest, or None: the target may be tried."""
        reasons = self._out.get(target)
        return None if reasons is None else next(iter(reasons.values()))

    def all(self) -> Mapping[str, tuple[Out, ...]]:
        """Every target that is out with its reasons, the longest standing first. A copy."""
        return {target: tuple(reasons.values()) for target, reasons in self._out.items()}

    def keep_only(self, targets: Iterable[str]) -> None:
        """Forgets everything about other targets: those that are no longer bound, or are bound to another place."""
        kept = frozenset(targets)
        for target in [t for t in self._out if t not in kept]:
            del self._out[target]
