"""Transcripts of exchanges: events in, actions out. No sockets, no clock."""

from collections.abc import Iterator
from typing import Final

import pytest

from policyd.proxy.conversation import (
    FAILS_OVER,
    MOST_DECISIONS,
    MOST_RETRIES,
    POSSIBLE,
    Action,
    AnotherPolicy,
    Answered,
    Await,
    Barred,
    Body,
    BreakOff,
    ClientGone,
    Conversation,
    Deadline,
    DecideAgain,
    Ended,
    Event,
    Faulted,
    Finish,
    HangUp,
    Passed,
    Pause,
    Phase,
    Refuse,
    Relay,
    Rested,
    Try,
    begin,
    step,
)
from policyd.proxy.refusals import REFUSALS
from policyd.proxy.upstream.errors import Kind

Row = tuple[Event, Action]

TRANSCRIPTS: Final[dict[str, tuple[int, list[Row]]]] = {
    "an answer is relayed and ended": (1, [(Answered(200), Await()), (Body(), Relay()), (Ended(), Finish())]),
    "a target that cannot be reached is passed": (
        2,
        [(Faulted(Kind.REFUSED), Try(1)), (Answered(200), Await()), (Body(), Relay()), (Ended(), Finish())],
    ),
    "a saturated target is passed": (2, [(Answered(429), Try(1)), (Answered(200), Await())]),
    "the last candidate's error passes through as it came": (
        2,
        [(Answered(503), Try(1)), (Answered(503), Await()), (Body(), Relay()), (Ended(), Finish())],
    ),
    "an error about the request passes through although candidates are left": (
        3,
        [(Answered(400), Await()), (Body(), Relay()), (Ended(), Finish())],
    ),
    "an answer that breaks before its first byte is passed": (
        2,
        [(Answered(200), Await()), (Faulted(Kind.TRUNCATED), Try(1))],
    ),
    "an answer that breaks after its first byte is broken off, with a candidate left": (
        2,
        [(Answered(200), Await()), (Body(), Relay()), (Faulted(Kind.TRUNCATED), BreakOff("upstream_broke"))],
    ),
    "an answer that stalls after its first byte is broken off": (
        2,
        [
            (Answered(200), Await()),
            (Body(), Relay()),
            (Faulted(Kind.IDLE_TIMEOUT), BreakOff("upstream_timeout")),
        ],
    ),
    "nobody answers": (
        2,
        [(Faulted(Kind.REFUSED), Try(1)), (Faulted(Kind.DNS), Refuse("upstream_unavailable"))],
    ),
    "nobody answers in time": (
        2,
        [
            (Faulted(Kind.CONNECT_TIMEOUT), Try(1)),
            (Faulted(Kind.FIRST_BYTE_TIMEOUT), Refuse("upstream_timeout")),
        ],
    ),
    "one is down and one is slow": (
        2,
        [(Faulted(Kind.REFUSED), Try(1)), (Faulted(Kind.FIRST_BYTE_TIMEOUT), Refuse("upstream_unavailable"))],
    ),
    "one answered an error and one is slow": (
        2,
        [(Answered(500), Try(1)), (Faulted(Kind.FIRST_BYTE_TIMEOUT), Refuse("upstream_unavailable"))],
    ),
    "a redirect is not followed, nor shown": (1, [(Answered(307), Refuse("upstream_redirect"))]),
    "a redirect is passed where a candidate is left": (2, [(Answered(302), Try(1))]),
    "a credential that the target refuses is not the caller's": (
        2,
        [(Answered(401), Try(1)), (Answered(401), Refuse("upstream_credential"))],
    ),
    "a client that leaves before an answer": (2, [(ClientGone(), HangUp())]),
    "a client that leaves inside an answer": (
        2,
        [(Answered(200), Await()), (Body(), Relay()), (ClientGone(), HangUp())],
    ),
    "the deadline ends the attempts, candidates or not": (
        3,
        [(Faulted(Kind.REFUSED), Try(1)), (Deadline(), Refuse("upstream_timeout"))],
    ),
    "the deadline inside an answer breaks it off": (
        3,
        [(Answered(200), Await()), (Body(), Relay()), (Deadline(), BreakOff("upstream_timeout"))],
    ),
    "another policy before the first attempt": (1, [(AnotherPolicy(), DecideAgain())]),
    "another policy between two attempts": (2, [(Answered(503), Try(1)), (AnotherPolicy(), DecideAgain())]),
    "a gate that refuses is not asked for the next candidate": (3, [(Barred(), Refuse("internal_gate"))]),
    "a target that was down is asked again once the others were tried": (
        2,
        [
            (Faulted(Kind.REFUSED, 5.0), Try(1)),
            (Answered(500), Pause(5.0)),
            (Rested(), Try(0)),
            (Answered(200), Await()),
            (Body(), Relay()),
            (Ended(), Finish()),
        ],
    ),
    "a target that says when is asked again then": (
        1,
        [(Answered(429, 3.0), Pause(3.0)), (Rested(), Try(0)), (Answered(200), Await())],
    ),
    "of those that may be asked again the first in time comes first": (
        3,
        [
            (Answered(503, 9.0), Try(1)),
            (Faulted(Kind.DNS, 2.0), Try(2)),
            (Faulted(Kind.CONNECT_TIMEOUT, 2.0), Pause(2.0)),
            (Rested(), Try(1)),
            (Faulted(Kind.REFUSED), Pause(2.0)),
            (Rested(), Try(2)),
            (Faulted(Kind.REFUSED), Pause(9.0)),
            (Rested(), Try(0)),
            (Answered(200), Await()),
        ],
    ),
    "a target that never says when is not asked again": (1, [(Answered(429), Await())]),
    "a target that broke is not asked again whatever it says": (1, [(Answered(500, 1.0), Await())]),
    "a target that may have begun is not asked again": (
        2,
        [
            (Faulted(Kind.RESET, 1.0), Try(1)),
            (Faulted(Kind.FIRST_BYTE_TIMEOUT, 1.0), Refuse("upstream_unavailable")),
        ],
    ),
    "a certificate that is wrong stays so": (1, [(Faulted(Kind.TLS, 1.0), Refuse("upstream_unavailable"))]),
    "a target is asked again only so often": (
        1,
        [
            (Faulted(Kind.REFUSED, 1.0), Pause(1.0)),
            (Rested(), Try(0)),
            (Faulted(Kind.REFUSED, 2.0), Pause(2.0)),
            (Rested(), Try(0)),
            (Faulted(Kind.REFUSED, 3.0), Refuse("upstream_unavailable")),
        ],
    ),
    "the last answer passes after a target was asked again": (
        1,
        [
            (Answered(429, 1.0), Pause(1.0)),
            (Rested(), Try(0)),
            (Answered(429), Await()),
            (Body(), Relay()),
        ],
    ),
    "a client that leaves while a request rests": (
        1,
        [(Answered(503, 1.0), Pause(1.0)), (ClientGone(), HangUp())],
    ),
    "the deadline while a request rests": (
        1,
        [(Answered(503, 1.0), Pause(1.0)), (Deadline(), Refuse("upstream_timeout"))],
    ),
    "another policy after a rest": (
        1,
        [(Answered(503, 1.0), Pause(1.0)), (Rested(), Try(0)), (AnotherPolicy(), DecideAgain())],
    ),
    "a target that is out of order is passed over": (
        2,
        [(Passed(busy=False), Try(1)), (Answered(200), Await())],
    ),
    "all are out of order": (
        2,
        [(Passed(busy=False), Try(1)), (Passed(busy=False), Refuse("upstream_unavailable"))],
    ),
    "all are full": (2, [(Passed(busy=True), Try(1)), (Passed(busy=True), Refuse("upstream_busy"))]),
    "one is full and one is out of order": (
        2,
        [(Passed(busy=True), Try(1)), (Passed(busy=False), Refuse("upstream_unavailable"))],
    ),
    "one was too slow and the other is full": (
        2,
        [(Faulted(Kind.FIRST_BYTE_TIMEOUT), Try(1)), (Passed(busy=True), Refuse("upstream_timeout"))],
    ),
    "one is full and the other is too slow": (
        2,
        [(Passed(busy=True), Try(1)), (Faulted(Kind.FIRST_BYTE_TIMEOUT), Refuse("upstream_unavailable"))],
    ),
    "an answer that begins with an error is passed": (
        2,
        [(Answered(200), Await()), (Faulted(Kind.ERROR_EVENT), Try(1)), (Answered(200), Await())],
    ),
    "what comes after the end changes nothing": (
        1,
        [(Faulted(Kind.RESET), Refuse("upstream_unavailable")), (Answered(200), Await()), (Ended(), Await())],
    ),
}


@pytest.mark.parametrize(("candidates", "rows"), TRANSCRIPTS.values(), ids=TRANSCRIPTS.keys())
def test_transcript(candidates: int, rows: list[Row]) -> None:
    state, action = begin(candidates)
    assert action == Try(0)
    for event, expected in rows:
        state, action = step(state, event)
        assert action == expected, f"after {event}"


ACTING: Final[dict[str, list[Row]]] = {
    "what was not sent may go elsewhere": [(Faulted(Kind.REFUSED), Try(1)), (Answered(200), Await())],
    "what was turned away may go elsewhere": [(Answered(429), Try(1)), (Answered(503), Await())],
    "what may have begun goes nowhere else": [(Faulted(Kind.RESET), Refuse("upstream_unavailable"))],
    "what was too slow goes nowhere else": [(Faulted(Kind.FIRST_BYTE_TIMEOUT), Refuse("upstream_timeout"))],
    "what broke inside goes nowhere else": [(Answered(500), Await()), (Body(), Relay())],
    "what began with an error goes nowhere else": [
        (Answered(200), Await()),
        (Faulted(Kind.ERROR_EVENT), Refuse("upstream_unavailable")),
    ],
    "a redirect is not shown": [(Answered(302), Refuse("upstream_redirect"))],
}


@pytest.mark.parametrize("rows", ACTING.values(), ids=ACTING.keys())
def test_what_a_target_may_act_on_is_never_done_twice(rows: list[Row]) -> None:
    state, action = begin(2, acts=True)
    for event, expected in rows:
        state, action = step(state, event)
        assert action == expected, f"after {event}"


def test_a_budget_of_attempts_holds_over_the_chain() -> None:
    state, _ = begin(4, attempts=2)
    state, action = step(state, Passed(busy=True))
    assert action == Try(1)
    state, action = step(state, Faulted(Kind.REFUSED, 1.0))
    assert action == Try(2)
    state, action = step(state, Faulted(Kind.REFUSED, 1.0))
    assert action == Refuse("upstream_unavailable")


def test_the_last_attempt_s_answer_passes_with_candidates_left() -> None:
    state, _ = begin(3, attempts=1)
    assert step(state, Answered(429, 1.0))[1] == Await()


def test_a_request_is_decided_again_only_so_often() -> None:
    decisions = 1
    state, _ = begin(1, decisions=decisions)
    while (action := step(state, AnotherPolicy())[1]) == DecideAgain():
        decisions += 1
        state, _ = begin(1, decisions=decisions)
    assert action == Refuse("internal_changing")
    assert decisions == MOST_DECISIONS


EVENTS: Final[tuple[Event, ...]] = (
    Answered(200), Answered(503), Answered(503, 2.0), Answered(500, 2.0), Answered(307), Answered(401), Body(), Ended(),
    Faulted(Kind.RESET, 1.0), Faulted(Kind.REFUSED, 1.0), Faulted(Kind.TLS, 1.0), Faulted(Kind.IDLE_TIMEOUT), Passed(busy=True),
    Passed(busy=False), Rested(), ClientGone(), Deadline(), AnotherPolicy(), Barred(),
)  # fmt: skip
DID_NOTHING: Final = frozenset({Answered(503, 2.0), Faulted(Kind.REFUSED, 1.0)})
MAY_HAVE_BEGUN: Final = frozenset(
    {Answered(200), Answered(500, 2.0), Answered(307), Faulted(Kind.RESET, 1.0), Faulted(Kind.IDLE_TIMEOUT)}
)


def transcripts(
    candidates: int, attempts: int, *, acts: bool, depth: int
) -> Iterator[list[tuple[Event | None, Action]]]:
    """Every sequence of possible events up to this length, each with the actions taken."""

    def go(
        state: Conversation, rows: list[tuple[Event | None, Action]]
    ) -> Iterator[list[tuple[Event | None, Action]]]:
        if state.phase is Phase.DONE or len(rows) > depth:
            yield rows
            return
        for event in EVENTS:
            if isinstance(event, POSSIBLE[state.phase]):
                after, action = step(state, event)
                yield from go(after, [*rows, (event, action)])

    state, action = begin(candidates, attempts=attempts, acts=acts)
    yield from go(state, [(None, action)])


@pytest.mark.parametrize("acts", [False, True])
@pytest.mark.parametrize(("candidates", "attempts"), [(1, 1), (1, 3), (2, 2), (2, 6), (3, 3)])
def test_no_sequence_of_events_leaves_the_plan_or_does_anything_twice(
    candidates: int, attempts: int, acts: bool
) -> None:
    count = 0
    for rows in transcripts(candidates, attempts, acts=acts, depth=5):
        count += 1
        _is_in_order(rows, candidates, attempts, acts=acts)
    assert count > 50


def _is_in_order(
    rows: list[tuple[Event | None, Action]], candidates: int, attempts: int, *, acts: bool
) -> None:
    tried: list[int] = []
    said: dict[int, Event] = {}
    used, begun, relayed, resting = 0, False, False, False
    for event, action in rows:
        if isinstance(event, Answered) or (isinstance(event, Faulted) and not _holding(said, tried)):
            used += 1
        if event is not None and tried:
            said[tried[-1]] = event
        begun = begun or event in MAY_HAVE_BEGUN
        match action:
            case Try(at):
                assert not relayed, "nothing is tried after bytes went to the client"
                assert 0 <= at < candidates, "only candidates of the plan"
                assert used < attempts, "a budget of attempts"
                assert not (acts and begun), "nothing is done twice"
                if at in tried:
                    assert resting, "one is asked again after a rest only"
                    assert tried.count(at) <= MOST_RETRIES
                    assert at in _asked_for(rows, tried), "one is asked again only where it did nothing"
                else:
                    assert at == len(set(tried)), "in the plan's order"
                tried.append(at)
            case Relay():
                relayed = True
            case Refuse(code):
                assert not relayed, "one answer"
                assert code in REFUSALS
            case BreakOff(code):
                assert relayed and code in REFUSALS
            case DecideAgain():
                assert not relayed
            case Pause():
                assert len(set(tried)) == candidates, "the others come first"
                assert used < attempts
        resting = isinstance(action, Pause) or (resting and isinstance(event, Passed))


def _holding(said: dict[int, Event], tried: list[int]) -> bool:
    """Whether the current candidate's head was counted already."""
    return bool(tried) and isinstance(said.get(tried[-1]), Answered)


def _asked_for(rows: list[tuple[Event | None, Action]], tried: list[int]) -> set[int]:
    """Candidates whose every attempt ended with doing nothing and a time to come back."""
    ends: dict[int, list[Event]] = {}
    order = iter(tried)
    current = -1
    for event, action in rows:
        if event is not None and current >= 0 and isinstance(event, Answered | Faulted):
            ends.setdefault(current, []).append(event)
        if isinstance(action, Try):
            current = next(order, -1)
    return {at for at, events in ends.items() if all(e in DID_NOTHING for e in events)}


def test_only_faults_of_a_target_fail_over() -> None:
    assert not {200, 400, 403, 404, 413, 422} & set(FAILS_OVER)
    for status in FAILS_OVER:
        state, _ = begin(2)
        assert step(state, Answered(status))[1] == Try(1)
