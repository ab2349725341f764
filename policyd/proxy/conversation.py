"""One exchange: what to do on each event between a client and the candidates of its plan. Pure; no sockets, no clock.

In come events (an answer's head, its first bytes, a fault, the client gone, the deadline); out comes the next state and
one action. `forward.py` performs the actions and awaits the events. The one idea: as long as nothing of an answer has
gone to the client, the next candidate may be tried; afterwards an error can only be told and the connection broken.

    TRYING ── Answered ──▶ HOLDING ── Body ──▶ RELAYING ── Ended ──▶ DONE
      ▲                    │                     │
      │  Faulted, or a     │ Faulted             └ Faulted, Deadline: BreakOff ──▶ DONE
      └─ FAILS_OVER status ┘
         with a candidate left: Try; with none left: Refuse, or that last answer passes

The plan's candidates are only counted here: which target a number means, and whether it may be used, is the plan's and
the gate's affair. It never adds a candidate and never goes back to one.
"""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias, assert_never

from policyd.proxy.upstream.errors import Kind

__all__ = [
    "FAILS_OVER", "POSSIBLE", "Action", "AnotherPolicy", "Answered", "Await", "Barred", "Body", "BreakOff", "ClientGone", "Conversation", "Deadline",
    "DecideAgain", "Ended", "Event", "Faulted", "Finish", "HangUp", "Phase", "Refuse", "Relay",
    "Try", "begin", "step",
]  # fmt: skip

FAILS_OVER: Final = MappingProxyType(
    {
        401: "the target refused the deployment's credential, which is no fault of the caller",
        402: "the deployment's account at the target is exhausted",
        408: "the target gave up waiting",
        429: "the target is saturated",
        500: "the target broke on it; another server may not",
        502: "a gateway before the target has no server",
        503: "the target is down or starting",
        504: "a gateway before the target gave up waiting",
        529: "Anthropic's word for overloaded",
    }
)
"""Statuses after which the next candidate is tried, and why. 400, 403, 404, 413 and 422 are about the request: another
target would be asked the same wrong thing."""

MOST_DECISIONS: Final = 3
"""How often a request may be decided, should the policy change between the decision and an attempt."""


_TIMEOUTS: Final = frozenset(
    {Kind.CONNECT_TIMEOUT, Kind.FIRST_BYTE_TIMEOUT, Kind.IDLE_TIMEOUT, Kind.TOTAL_TIMEOUT}
)


class Phase(Enum):
    TRYING = "trying"
    HOLDING = "holding"
    """the head of an answer is here, its first bytes are not; the client has seen nothing"""
    RELAYING = "relaying"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Answered:
    """The head of candidate `at`'s answer arrived."""

    status: int


@dataclass(frozen=True, slots=True)
class Body:
    """The first bytes of the answer's body, or its clean end without any."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is complete by its own framing."""


@dataclass(frozen=True, slots=True)
class Faulted:
    kind: Kind


@dataclass(frozen=True, slots=True)
class ClientGone:
    pass


@dataclass(frozen=True, slots=True)
class Deadline:
    pass


@dataclass(frozen=True, slots=True)
class AnotherPolicy:
    """The gate found that another policy serves now; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Barred:
    """The gate refused the attempt; nothing was sent. A plan and the gate that disagree are an error in policyd, so no
    other candidate is tried."""


Event: TypeAlias = Answered | Body | Ended | Faulted | ClientGone | Deadline | AnotherPolicy | Barred


@dataclass(frozen=True, slots=True)
class Try:
    """Drop what there is of the current attempt and attempt candidate `at`."""

    at: int


@dataclass(frozen=True, slots=True)
class Await:
    pass


@dataclass(frozen=True, slots=True)
class Relay:
    """Send the held head and the first bytes; from here on bytes pass as they come."""


@dataclass(frozen=True, slots=True)
class Finish:
    """End the answer cleanly."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Drop the attempt and answer with this refusal."""

    code: str


@dataclass(frozen=True, slots=True)
class BreakOff:
    """Drop the attempt, tell the error in the stream's own form, and break the connection: never a clean end."""

    code: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Drop the attempt and send nothing: nobody listens."""


@dataclass(frozen=True, slots=True)
class DecideAgain:
    pass


Action: TypeAlias = Try | Await | Relay | Finish | Refuse | BreakOff | HangUp | DecideAgain

POSSIBLE: Final = MappingProxyType(
    {
        Phase.TRYING: (Answered, Faulted, AnotherPolicy, Barred, ClientGone, Deadline),
        Phase.HOLDING: (Body, Faulted, ClientGone, Deadline),
        Phase.RELAYING: (Ended, Faulted, ClientGone, Deadline),
    }
)
"""Which events a phase can meet. After the end any may come late."""

_AWAIT: Final = Await()
_RELAY: Final = Relay()


class Conversation(NamedTuple):
    """Where an exchange stands. `candidates` counts the plan's, `at` is the one being tried; `timed_out` is false once an
    attempt failed otherwise, `decisions` how often the request was decided."""

    candidates: int
    at: int = 0
    phase: Phase = Phase.TRYING
    timed_out: bool = True
    decisions: int = 1


def begin(candidates: int, *, decisions: int = 1) -> tuple[Conversation, Action]:
    """An exchange over a plan of so many candidates. INVARIANT: a plan has at least one."""
    assert candidates > 0
    return Conversation(candidates, decisions=decisions), Try(0)


def step(state: Conversation, event: Event) -> tuple[Conversation, Action]:
    """The next state and what to do, for the events of `POSSIBLE`. An event that comes late, after the end, changes
    nothing."""
    if state.phase is Phase.DONE:
        return state, _AWAIT
    assert isinstance(event, POSSIBLE[state.phase]), f"INVARIANT: no {event} while {state.phase}"
    match event:
        case Answered(status):
            return _answered(state, status)
        case Body():
            return _at(state, Phase.RELAYING), _RELAY
        case Ended():
            return _done(state, Finish())
        case Faulted(kind):
            return _faulted(state, kind)
        case ClientGone():
            return _done(state, HangUp())
        case Deadline():
            if state.phase is Phase.RELAYING:
                return _done(state, BreakOff("upstream_timeout"))
            return _done(state, Refuse("upstream_timeout"))
        case Barred():
            return _done(state, Refuse("internal_gate"))
        case AnotherPolicy():
            if state.decisions >= MOST_DECISIONS:
                return _done(state, Refuse("internal_changing"))
            return _done(state, DecideAgain())
        case _:
            assert_never(event)


def _at(state: Conversation, phase: Phase) -> Conversation:
    return Conversation(state.candidates, state.at, phase, state.timed_out, state.decisions)


def _done(state: Conversation, action: Action) -> tuple[Conversation, Action]:
    return _at(state, Phase.DONE), action


def _answered(state: Conversation, status: int) -> tuple[Conversation, Action]:
    if 300 <= status < 400:
        # A client that follows redirects would carry the request past the policy.
        return _next(state, timed_out=False, otherwise="upstream_redirect")
    if status in FAILS_OVER and state.at + 1 < state.candidates:
        return _next(state, timed_out=False, otherwise="upstream_unavailable")
    if status == 401:
        # Such answers show parts of the credential they refuse, and this one is not the caller's.
        return _done(state, Refuse("upstream_credential"))
    return _at(state, Phase.HOLDING), _AWAIT


def _faulted(state: Conversation, kind: Kind) -> tuple[Conversation, Action]:
    if state.phase is Phase.RELAYING:
        return _done(state, BreakOff("upstream_timeout" if kind in _TIMEOUTS else "upstream_broke"))
    timed_out = state.timed_out and kind in _TIMEOUTS
    return _next(
        state, timed_out=timed_out, otherwise="upstream_timeout" if timed_out else "upstream_unavailable"
    )


def _next(state: Conversation, *, timed_out: bool, otherwise: str) -> tuple[Conversation, Action]:
    """The next candidate, or the refusal where none is left."""
    at = state.at + 1
    if at >= state.candidates:
        return _done(state, Refuse(otherwise))
    return Conversation(state.candidates, at, Phase.TRYING, timed_out, state.decisions), Try(at)
