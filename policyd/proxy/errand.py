"""What is carried along a plan, what it travels on, and what came of it.

Values of `forward.py` that others read or fill: the application makes errands, the log and telemetry read outcomes.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from policyd.deploy.model import Binding
from policyd.proxy.conversations.turns import Turn
from policyd.proxy.gate import Gate, Ticket
from policyd.proxy.outbound import Headers
from policyd.proxy.targets import Taken, Targets, WhyPassed
from policyd.proxy.upstream.protocol import Upstream
from policyd.proxy.usage import Tap
from policyd.proxy.way import Way

__all__ = ["LARGE", "LAST_WORDS_SECONDS", "Attempt", "Errand", "Outcome", "Road", "Send"]

Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]

LARGE = 128 * 1024
"""Bytes of a body from which reading, rewriting and checking it leave the event loop: about half a millisecond each."""

LAST_WORDS_SECONDS = 1.0
"""How long a client that does not take its answer is told that the sidecar stops."""


def _no_tokens(_: str) -> int:
    return 0


@dataclass(slots=True)
class Errand:
    """What is to be carried; it does not change (and is not frozen because one is made for every request). `way_to` says
    how it is said to a target, `size` is the body's as it came, `tokens` says what it takes of a target's minute, `deadline` of
    the loop's clock. `own_headers` makes policyd's headers for an answer of a target at an attempt, `told` the error event
    for a stream with this tail. `attempts` are left to it, however often it was decided; it never rests longer than
    `retry_wait` seconds; `acts`: a target may do more for it than to answer; `turn` is told the ids of an
    answer before the caller is; `left_in` says what is still in the bytes for a
    target of what was redacted, where anything was; `inline`: bytes up to which saying and checking it takes no time to speak of."""

    ticket: Ticket
    targets: tuple[str, ...]
    bindings: Mapping[str, Binding]
    way_to: Callable[[str], Way]
    size: int
    deadline: float
    own_headers: Callable[[str, int], Headers]
    told: Callable[[str, bytes], bytes]
    decisions: int
    tokens: Callable[[str], int] = _no_tokens
    attempts: int = 6
    retry_wait: float = 5.0
    acts: bool = False
    turn: Turn | None = None
    left_in: Callable[[str, Way], frozenset[str]] | None = None
    inline: int = LARGE

    @property
    def awaited(self) -> bool:
        """Whether saying it and checking that leaves the event loop."""
        return self.size > self.inline


@dataclass(frozen=True, slots=True)
class Road:
    """What every errand uses. `draw` gives a number in [0, 1)."""

    gate: Gate
    upstream: Upstream
    targets: Targets
    draw: Callable[[], float] = random.random


@dataclass(slots=True)
class Attempt:
    """One attempt at one target: what came of it (`answered`, `status_500` and its kind, or a word of the upstream client's), and seconds from its
    begin until it was permitted, to the first byte of the body, and to its end. `stale`: it was written to a pooled
    connection that the target had closed, and not to another."""

    target: str
    began: float
    outcome: str = ""
    status: int | None = None
    first_byte: float | None = None
    took: float | None = None
    permitted: float = 0.0
    stale: bool = False


@dataclass(slots=True)
class Outcome:
    """What happened. `passed` are candidates that were not asked, and why; `retry_after`: seconds after which one of the
    candidates may be asked again, as far as any said so; `taken` of the last one's minute. `refusal` is the code of the
    refusal that is still to be sent; `again`: decide once more; `cut`: the connection must be broken off; `erred`: what passed was an error of the target's own; `gone`: the client
    left; `tap` read beside the answer that passed, also for what only spans tell, where `curious`; `waited`: seconds in line
    and between attempts."""

    attempts: list[Attempt] = field(default_factory=list)
    status: int | None = None
    target: str | None = None
    sent: int = 0
    refusal: str | None = None
    again: bool = False
    cut: str | None = None
    erred: bool = False
    gone: bool = False
    gate_said: str | None = None
    tap: Tap | None = None
    curious: bool = False
    passed: list[tuple[str, WhyPassed]] = field(default_factory=list)
    retry_after: float | None = None
    taken: Taken | None = None
    waited: float = 0.0

    @property
    def used(self) -> int:
        """Attempts that count: those that found another policy sent nothing and are none."""
        return sum(a.outcome != "policy_changed" for a in self.attempts)

    def may_come_back(self, seconds: float | None) -> None:
        if seconds is not None and (self.retry_after is None or seconds < self.retry_after):
            self.retry_after = seconds
