"""One exchange: what to do on each event between a client and the candidates of its plan. Pure; no sockets, no clock.

In come events (an answer's head, its first bytes, a fault, the client gone, the deadline); out comes the next state and
one action. `forward.py` performs the actions and awaits the events. The one idea: as long as nothing of an answer has
gone to the client, the next candidate may be tried; afterwards an error can only be told and the connection broken.

    TRYING ── Answered ──▶ HOLDING ── Body ──▶ RELAYING ── Ended ──▶ DONE
      ▲                    │                     │
      │  Passed, Faulted,  │ Faulted             └ Faulted, Deadline: BreakOff ──▶ DONE
      │  or a FAILS_OVER   │
      ├─ status ───────────┘
      │  with a candidate left that was not tried: Try
      │  else with one that may be asked again: Pause ──▶ RESTING ── Rested ──▶ TRYING
      └─ with none: Refuse, or that last answer passes

A candidate is asked again only where it did nothing with the request: no byte was sent, or it said when to come back
(`again_at`). All attempts of a request together are `attempts`. Where the target itself may act (`acts`: it runs tools),
nothing is tried after it may have begun to.

The plan's candidates are only counted here: which target a number means, and whether it may be used, is the plan's and
the gate's affair. It never adds a candidate.
"""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias, assert_never

from policyd.proxy.upstream.errors import UNSENT, Kind

__all__ = [
    "ASKED_AGAIN", "CONNECTS_AGAIN", "FAILS_OVER", "MOST_RETRIES", "POSSIBLE", "Action", "AnotherPolicy", "Answered", "Await", "Barred", "Body",
    "BreakOff", "ClientGone", "Conversation", "Deadline", "DecideAgain", "Ended", "Event", "Faulted", "Finish", "HangUp", "Passed",
    "Pause", "Phase", "Refuse", "Relay", "Rested", "Try", "begin", "is_targets_own", "step", "word_of",
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

UNPROCESSED: Final = frozenset({401, 402, 429, 503, 529})
"""Those by which a target says that it did not begin."""

ASKED_AGAIN: Final = frozenset({429, 503})
"""Those after which the same target is asked again, where it said when (`Retry-After`)."""

CONNECTS_AGAIN: Final = frozenset({Kind.REFUSED, Kind.DNS, Kind.CONNECT_TIMEOUT})
"""Faults after which the same target is asked again: there was no connection, and there may be one in a moment. A
certificate or an address that is not allowed stays as it is."""

MOST_RETRIES: Final = 2
"""How often one candidate is asked again."""

MOST_DECISIONS: Final = 3
"""How often a request may be decided, should the policy change between the decision and an attempt."""


_TOLD_APART: Final = frozenset(FAILS_OVER) | {400, 403, 404, 413, 422}


def is_targets_own(status: int) -> bool:
    """Whether an answer with this status is an error of the target, and none that the request earned."""
    return status >= 500 or status in FAILS_OVER


def word_of(status: int) -> str:
    """What came of an attempt that was answered so, in the words of a closed list: the log and the metrics have the same."""
    if status < 300:
        return "answered"
    return f"status_{status}" if status in _TOLD_APART else f"status_{status // 100}xx"


_TIMEOUTS: Final = frozenset(
    {Kind.CONNECT_TIMEOUT, Kind.FIRST_BYTE_TIMEOUT, Kind.IDLE_TIMEOUT, Kind.TOTAL_TIMEOUT}
)


class Phase(Enum):
    TRYING = "trying"
    HOLDING = "holding"
    """the head of an answer is here, its first bytes are not; the client has seen nothing"""
    RESTING = "resting"
    """every candidate was tried, and one will be asked again"""
    RELAYING = "relaying"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Answered:
    """The head of the current candidate's answer arrived. `again_at`: from when on it may be asked again, where it said so
    and that is soon enough."""

    status: int
    again_at: float | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The first bytes of the answer's body, or its clean end without any."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is complete by its own framing."""


@dataclass(frozen=True, slots=True)
class Faulted:
    """`again_at`: from when on the candidate may be asked again, where it did nothing with the request."""

    kind: Kind
    again_at: float | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """The candidate is not asked now; nothing was sent. `busy`: because it has as much as it may get, and not because it
    is out of order."""

    busy: bool


@dataclass(frozen=True, slots=True)
class Rested:
    """The pause is over."""


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

    code: str = "internal_gate"


Event: TypeAlias = (
    Answered | Body | Ended | Faulted | Passed | Rested | ClientGone | Deadline | AnotherPolicy | Barred
)


@dataclass(frozen=True, slots=True)
class Try:
    """Drop what there is of the current attempt and attempt candidate `at`."""

    at: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Drop what there is of the current attempt and wait until this time of the clock that `again_at` is of."""

    until: float


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


Action: TypeAlias = Try | Pause | Await | Relay | Finish | Refuse | BreakOff | HangUp | DecideAgain

POSSIBLE: Final = MappingProxyType(
    {
        Phase.TRYING: (Answered, Faulted, Passed, AnotherPolicy, Barred, ClientGone, Deadline),
        Phase.HOLDING: (Body, Faulted, ClientGone, Deadline),
        Phase.RESTING: (Rested, ClientGone, Deadline),
        Phase.RELAYING: (Ended, Faulted, ClientGone, Deadline),
    }
)
"""Which events a phase can meet. After the end any may come late."""

_AWAIT: Final = Await()
_RELAY: Final = Relay()
_FIRST: Final = Try(0)
_FINISH: Final = Finish()


class Conversation(NamedTuple):
    """Where an exchange stands. `candidates` counts the plan's, `at` is the one being tried, `fresh` the first that was not
    tried yet; `attempts` are left. `verdict` is the refusal if nothing else comes of it; `timed_out` is false once an
    attempt failed otherwise; `decisions` how often the request was decided; `acts`: see above. `again` are candidates that
    may be asked again, each with its time; `retried` those that were."""

    phase: Phase
    attempts: int
    candidates: int
    at: int = 0
    fresh: int = 1
    timed_out: bool = True
    verdict: str = "upstream_busy"
    decisions: int = 1
    acts: bool = False
    again: tuple[tuple[float, int], ...] = ()
    retried: tuple[int, ...] = ()


def begin(
    candidates: int, *, attempts: int = 6, decisions: int = 1, acts: bool = False
) -> tuple[Conversation, Action]:
    """An exchange over a plan of so many candidates. INVARIANT: a plan has at least one, and a request that is decided
    again has not used its attempts up: nothing comes after the last one."""
    assert candidates > 0 and attempts > 0
    return Conversation(Phase.TRYING, attempts, candidates, decisions=decisions, acts=acts), _FIRST


def step(state: Conversation, event: Event) -> tuple[Conversation, Action]:
    """The next state and what to do, for the events of `POSSIBLE`. An event that comes late, after the end, changes
    nothing."""
    if state.phase is Phase.DONE:
        return state, _AWAIT
    assert isinstance(event, POSSIBLE[state.phase]), f"INVARIANT: no {event} while {state.phase}"
    match event:
        case Answered(status, again_at):
            return _answered(state, status, again_at)
        case Body():
            return _RELAYING, _RELAY
        case Ended():
            return _DONE, _FINISH
        case Faulted(kind, again_at):
            return _faulted(state, kind, again_at)
        case Passed(busy):
            verdict = state.verdict if busy else "upstream_unavailable"
            return _next(state._replace(timed_out=False, verdict=verdict))
        case Rested():
            return _asked_again(state)
        case ClientGone():
            return _done(HangUp())
        case Deadline():
            if state.phase is Phase.RELAYING:
                return _done(BreakOff("upstream_timeout"))
            return _done(Refuse("upstream_timeout"))
        case Barred(code):
            return _done(Refuse(code))
        case AnotherPolicy():
            if state.decisions >= MOST_DECISIONS:
                return _done(Refuse("internal_changing"))
            return _done(DecideAgain())
        case _:
            assert_never(event)


_RELAYING: Final = Conversation(Phase.RELAYING, 0, 1)
_DONE: Final = Conversation(Phase.DONE, 0, 1)
"""From here on nothing that came before matters."""


def _at(state: Conversation, phase: Phase, used: int = 0) -> Conversation:
    return Conversation(phase, state.attempts - used, *state[2:])


def _done(action: Action) -> tuple[Conversation, Action]:
    return _DONE, action


def _answered(state: Conversation, status: int, again_at: float | None) -> tuple[Conversation, Action]:
    if status not in FAILS_OVER and not 300 <= status < 400:
        return _at(state, Phase.HOLDING, 1), _AWAIT
    state = _at(state, state.phase, 1)
    if state.acts and status not in UNPROCESSED:
        return _last_word(state, status)
    failed = _may_be_asked_again(
        state._replace(timed_out=False, verdict="upstream_unavailable"),
        again_at if status in ASKED_AGAIN else None,
    )
    return _next(failed) if _has_next(failed) else _last_word(failed, status)


def _last_word(state: Conversation, status: int) -> tuple[Conversation, Action]:
    """The answer of a target after which no other is tried."""
    if 300 <= status < 400:
        # A client that follows redirects would carry the request past the policy.
        return _done(Refuse("upstream_redirect"))
    if status == 401:
        # Such answers show parts of the credential they refuse, and this one is not the caller's.
        return _done(Refuse("upstream_credential"))
    return _at(state, Phase.HOLDING), _AWAIT


def _faulted(state: Conversation, kind: Kind, again_at: float | None) -> tuple[Conversation, Action]:
    if state.phase is Phase.RELAYING:
        return _done(BreakOff("upstream_timeout" if kind in _TIMEOUTS else "upstream_broke"))
    timed_out = state.timed_out and kind in _TIMEOUTS
    verdict = "upstream_timeout" if timed_out else "upstream_unavailable"
    holding = (
        state.phase is Phase.HOLDING
    )  # The attempt was counted with the answer's head, and the target had begun.
    failed = state._replace(attempts=state.attempts - (not holding), timed_out=timed_out, verdict=verdict)
    if state.acts and (holding or kind not in UNSENT):
        return _done(Refuse(verdict))
    may_connect = kind in CONNECTS_AGAIN and not holding
    return _next(_may_be_asked_again(failed, again_at if may_connect else None))


def _may_be_asked_again(state: Conversation, again_at: float | None) -> Conversation:
    if again_at is None or state.retried.count(state.at) >= MOST_RETRIES:
        return state
    return state._replace(again=(*state.again, (again_at, state.at)))


def _has_next(state: Conversation) -> bool:
    return state.attempts > 0 and (state.fresh < state.candidates or bool(state.again))


def _next(state: Conversation) -> tuple[Conversation, Action]:
    """The next candidate, one that is asked again, or the refusal where there is none."""
    if not _has_next(state):
        return _done(Refuse(state.verdict))
    if state.fresh < state.candidates:
        return state._replace(at=state.fresh, fresh=state.fresh + 1, phase=Phase.TRYING), Try(state.fresh)
    return state._replace(phase=Phase.RESTING), Pause(min(state.again)[0])


def _asked_again(state: Conversation) -> tuple[Conversation, Action]:
    first = min(state.again)
    at = first[1]
    rest = tuple(entry for entry in state.again if entry != first)
    resumed = state._replace(at=at, phase=Phase.TRYING, again=rest, retried=(*state.retried, at))
    return resumed, Try(at)
