"""Whether a target that failed is asked again: one breaker for each target. Pure; times are the caller's monotonic clock.

In come the ends of attempts, good, faulty or neither; out goes for how long the target is left alone. The one idea: only
what the target did counts. What a caller did (a bad request, leaving, a deadline that it set short) is no end that is
reported here as faulty, so no caller can take a target away from the others by it.

    CLOSED ── `faults` in a row, or half of the last ones ──▶ OPEN ── its time is over: one trial ──▶ HALF_OPEN
       ▲                                                       ▲                                        │   │
       │                                                       └──── the trial is a fault: twice the time   │
       └─────────────────────────────────────────────────────── the trial is good ──────────────────────────┘

A trial that ends as neither gives its place to the next request. What began before the breaker opened changes nothing when
it ends.
"""

from enum import StrEnum
from typing import Final

from policyd.deploy.model import Breaking

__all__ = ["Breaker", "BreakerState"]

LAST: Final = 20
"""Ends that are remembered, or twice `faults` where that is more; half of them open the breaker."""

FORGOTTEN_AFTER: Final = 60.0
"""Seconds after a fault in which no other came, so that it is forgotten: a fault a day is no row of faults."""

MOST_DOUBLINGS: Final = 3

TRIAL_HINT: Final = 1.0
"""Seconds after which a request that came during a trial may look again."""


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """INVARIANT: at most one attempt is a trial, and only while the state is HALF_OPEN."""

    __slots__ = (
        "_all",
        "_failed_trials",
        "_history",
        "_last",
        "_last_fault",
        "_row",
        "_rule",
        "_until",
        "state",
    )

    def __init__(self, rule: Breaking) -> None:
        self.state = BreakerState.CLOSED
        self._rule = rule
        self._row = (1 << rule.faults) - 1
        self._last = max(LAST, 2 * rule.faults)
        self._all = (1 << self._last) - 1
        self._history = 0
        self._last_fault = 0.0
        self._until = 0.0
        self._failed_trials = 0

    @property
    def faults_in_a_row(self) -> int:
        """As far as they are remembered."""
        return (~self._history & self._history + 1).bit_length() - 1

    def wait(self, now: float) -> float | None:
        """Seconds in which the target is left alone; None where it may be asked."""
        if self.state is BreakerState.CLOSED:
            return None
        if self.state is BreakerState.HALF_OPEN:
            return TRIAL_HINT
        return self._until - now if now < self._until else None

    def begin(self) -> bool:
        """An attempt begins, where `wait` allows one. Whether it is the trial."""
        if self.state is BreakerState.CLOSED:
            return False
        self.state = BreakerState.HALF_OPEN
        return True

    def good(self, *, trial: bool) -> None:
        """The target answered."""
        if trial:
            self.state = BreakerState.CLOSED
            self._history = self._failed_trials = 0
        elif self._history:
            self._history = self._history << 1 & self._all

    def fault(self, now: float, *, trial: bool) -> None:
        """The target failed."""
        if trial:
            self._failed_trials = min(self._failed_trials + 1, MOST_DOUBLINGS)
            self._open(now)
        elif self.state is BreakerState.CLOSED:
            if now - self._last_fault > FORGOTTEN_AFTER:
                self._history = 0
            self._last_fault = now
            self._history = self._history << 1 & self._all | 1
            in_a_row = self._history & self._row == self._row
            if in_a_row or self._history.bit_count() * 2 >= self._last:
                self._open(now)

    def neither(self, *, trial: bool) -> None:
        """The attempt ended without telling anything about the target."""
        if trial:
            self.state = BreakerState.OPEN

    def _open(self, now: float) -> None:
        self.state = BreakerState.OPEN
        self._until = now + self._rule.open * 2**self._failed_trials
        self._history = 0
