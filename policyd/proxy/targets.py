"""What the proxy knows of each target while it serves: whether it may be asked now, and how it has done. Of one event loop.

In come the attempts, as they begin and end; out goes whether a target is passed over (`passed`), what an order among
equals goes by (`standing`), and how things stand for whoever watches (`view`). The one idea: all that is remembered
belongs to a target as it is bound. A reload that leaves a binding as it is leaves its breaker, places and rates; another
binding is another place, of which nothing is known. It names no target that the policy does not: it only passes some over.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from policyd.deploy.model import BoundTarget
from policyd.proxy.breaker import Breaker, BreakerState
from policyd.proxy.order import Seen, smoothed
from policyd.proxy.rates import Rates
from policyd.proxy.seats import Seats
from policyd.proxy.standing import TargetsOut
from policyd.proxy.upstream.errors import Kind

__all__ = [
    "Ending", "Skipped", "Taken", "TargetState", "TargetView", "Targets", "WhyPassed", "verdict_on_fault", "verdict_on_status",
]  # fmt: skip

_FAULTY: Final = frozenset({500, 502, 503, 504, 529})
_TELLS_NOTHING: Final = frozenset({401, 402, 408, 429})
"""Statuses that are no answer and no fault: the deployment's account, and a target that says it is full. The next request
is told so again, and its caller sees the reason."""

_NO_FAULT: Final = frozenset({Kind.POOL_EXHAUSTED, Kind.TOTAL_TIMEOUT})
"""policyd's own bound on connections, and an answer that was long."""


class WhyPassed(StrEnum):
    """Why a candidate was passed over without an attempt: a closed set."""

    OUT = "out"
    """what was found out about it takes it out of service (`standing`)"""
    OPEN = "open"
    """its breaker is open, or a trial is under way"""
    RATE = "rate"
    """it had what it may get in a minute"""
    BUSY = "busy"
    """it has as many requests or bytes as it may, and no place became free in time"""


class Skipped(NamedTuple):
    """`wait`: seconds until it may be asked, as far as that is known."""

    why: WhyPassed
    wait: float | None


class Taken(NamedTuple):
    """What an attempt took of its target's minute, and when by the loop's clock."""

    target: str
    began: float
    tokens: int


class Ending(StrEnum):
    """What an attempt says about its target."""

    GOOD = "good"
    FAULT = "fault"
    NEITHER = "neither"
    """nothing: the caller left, its deadline came, or policyd itself had no room"""


_BY_STATUS: Final = MappingProxyType(
    dict.fromkeys(_FAULTY, Ending.FAULT) | dict.fromkeys(_TELLS_NOTHING, Ending.NEITHER)
)


def _say_nothing(_: str) -> None:
    """Nobody listens."""


def verdict_on_status(status: int) -> Ending:
    """What an answer with this status says about its target, once it is complete. One that a caller can earn by what it
    sends (400, 404, 413, 422 …) is as good as any."""
    return _BY_STATUS.get(status, Ending.GOOD)


def verdict_on_fault(kind: Kind) -> Ending:
    """What a failure says about its target, where its own timeouts ended it and not the request's deadline."""
    return Ending.NEITHER if kind in _NO_FAULT else Ending.FAULT


@dataclass(frozen=True, slots=True)
class TargetView:
    """How one target stands now, for metrics and whoever asks. `left_alone`: for so many seconds yet by its breaker, None
    where it may be asked; `first_byte`: smoothed seconds from an attempt to the first byte of its
    answer; `requests_left` and `tokens_left` in the current window, None where nothing bounds them."""

    target: str
    breaker: BreakerState
    left_alone: float | None
    out: str | None
    in_flight: int
    in_flight_bytes: int
    max_in_flight: int
    waiting: int
    requests_left: int | None
    tokens_left: int | None
    first_byte: float | None


class TargetState:
    """One target as it is bound."""

    __slots__ = (
        "_out", "_rates", "_say", "_was_open", "bound", "breaker", "first_byte", "name", "queue_timeout", "seats",
    )  # fmt: skip

    def __init__(self, bound: BoundTarget, out: TargetsOut, say: Callable[[str], None]) -> None:
        binding, load = bound.binding, bound.binding.load
        self.bound = bound
        self.name = bound.name
        self.breaker = Breaker(binding.breaker)
        self.seats = Seats(load.max_in_flight or binding.max_connections, load.max_bytes, load.queue)
        self.queue_timeout = load.queue_timeout
        self.first_byte: float | None = None
        self._out = out
        self._say = say
        self._was_open = False
        bounded = load.requests_per_minute is not None or load.tokens_per_minute is not None
        self._rates = Rates(load.requests_per_minute, load.tokens_per_minute) if bounded else None

    def passed(self, now: float, tokens: int) -> Skipped | None:
        """Why the target is passed over now, its places aside; None where it may be asked."""
        if self._out.is_out(self.name) is not None:
            return Skipped(WhyPassed.OUT, None)
        wait = self.breaker.wait(now)
        if wait is not None:
            return Skipped(WhyPassed.OPEN, wait)
        if self._rates is not None:
            wait = self._rates.wait(now, tokens)
            if wait is not None:
                return Skipped(WhyPassed.RATE, wait)
        return None

    def begin(self, now: float, tokens: int) -> bool:
        """An attempt begins that `passed` allows and that has a place. Whether it is the breaker's trial."""
        if self._rates is not None:
            self._rates.take(now, tokens)
        return self.breaker.begin()

    @property
    def metered(self) -> bool:
        """Whether anything bounds what the target gets in a minute."""
        return self._rates is not None

    def settle(self, began: float, reserved: int, spent: int) -> None:
        """An attempt that began at `began` with `reserved` tokens had `spent`."""
        if self._rates is not None:
            self._rates.settle(began, reserved, spent)

    def give_back(self, began: float, reserved: int) -> None:
        """Nothing of an attempt that began at `began` was sent."""
        if self._rates is not None:
            self._rates.give_back(began, reserved)

    def answering(self, seconds: float, *, trial: bool) -> None:
        """The first byte of an answer came after so long. A trial is over with it: an answer may take minutes."""
        self.first_byte = smoothed(self.first_byte, seconds)
        if trial:
            self.breaker.good(trial=True)
            self._tell(None)

    def end(self, size: int, ending: Ending, clock: Callable[[], float], *, trial: bool) -> None:
        """The attempt ended and gives its place back. `trial`: it is one, and that is still open."""
        if ending is Ending.GOOD:
            self.breaker.good(trial=trial)
        elif ending is Ending.FAULT:
            now = clock()
            self.breaker.fault(now, trial=trial)
            self._tell(self.breaker.wait(now))
        else:
            self.breaker.neither(trial=trial)
        if trial:
            self._tell(None)
        self.seats.give(size)

    def _tell(self, seconds: float | None) -> None:
        """Whoever runs it that the breaker opened, and that it closed: each once, however many trials fail in between."""
        is_open = self.breaker.state is not BreakerState.CLOSED
        if is_open is self._was_open:
            return
        self._was_open = is_open
        if is_open:
            self._say(
                f"target `{self.name}` failed several times and is left alone for {seconds or 0:g} seconds, then tried"
                " again: its breaker is open, and the attempts in the decision log say how it failed"
            )
        else:
            self._say(f"target `{self.name}` answers again: its breaker is closed")

    def retire(self) -> None:
        """It is bound anew: what ends here from now on is no news."""
        self._was_open, self._say = False, _say_nothing
        self.seats.retire()

    def seen(self, now: float) -> Seen:
        """It is ready where it would not be passed over, as far as that can be said without a request. One whose trial is
        due is: without a request it would never come back."""
        ready = not self.seats.full and self.breaker.wait(now) is None and self._out.is_out(self.name) is None
        return Seen(self.seats.taken, self.first_byte, ready)

    def view(self, now: float) -> TargetView:
        out = self._out.is_out(self.name)
        requests, tokens = (None, None) if self._rates is None else self._rates.left(now)
        seats = self.seats
        return TargetView(
            self.name, self.breaker.state, self.breaker.wait(now), None if out is None else out.reason.value, seats.taken, seats.held,
            seats.limit, seats.waiting, requests, tokens, self.first_byte,
        )  # fmt: skip


class Targets:
    """Those that are bound now. `say` is told when a breaker opens and when it closes."""

    __slots__ = ("_say", "_states", "out")

    def __init__(
        self, targets: Iterable[BoundTarget], out: TargetsOut, say: Callable[[str], None] | None = None
    ) -> None:
        self.out = out
        self._say = say or _say_nothing
        self._states: dict[str, TargetState] = {}
        self.rebind(targets)

    def rebind(self, targets: Iterable[BoundTarget]) -> None:
        """The targets from now on. What is known of one that is bound as before stays."""
        before = self._states
        self._states = {}
        for target in targets:
            known = before.get(target.name)
            kept = known is not None and known.bound == target
            self._states[target.name] = (
                known if known is not None and kept else TargetState(target, self.out, self._say)
            )
        for name, state in before.items():
            if self._states.get(name) is not state:
                state.retire()

    def get(self, target: str) -> TargetState | None:
        """None where it is not bound (any more): the gate says what that means."""
        return self._states.get(target)

    def settle(self, taken: Taken, spent: int) -> None:
        """The tokens that an attempt took of its target's minute were an upper bound, and these are what it had."""
        state = self._states.get(taken.target)
        if state is not None:
            state.settle(taken.began, taken.tokens, spent)

    def seen(self, targets: Iterable[str], now: float) -> dict[str, Seen]:
        """What an order among equals may go by. One that is not bound (any more) is not ready."""
        states = self._states
        return {t: Seen(0, None, False) if t not in states else states[t].seen(now) for t in targets}

    def view(self, now: float) -> tuple[TargetView, ...]:
        """How every target stands at this time of the loop's clock."""
        return tuple(state.view(now) for state in self._states.values())
