"""Transcripts of exchanges: events in, actions out. No sockets, no clock."""

from itertools import product
from typing import Final

import pytest

from policyd.proxy.conversation import (
    FAILS_OVER,
    MOST_DECISIONS,
    POSSIBLE,
    Action,
    AnotherPolicy,
    Answered,
    Await,
    Barred,
    Body,
    BreakOff,
    ClientGone,
    Deadline,
    DecideAgain,
    Ended,
    Event,
    Faulted,
    Finish,
    HangUp,
    Phase,
    Refuse,
    Relay,
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


def test_a_request_is_decided_again_only_so_often() -> None:
    decisions = 1
    state, _ = begin(1, decisions=decisions)
    while (action := step(state, AnotherPolicy())[1]) == DecideAgain():
        decisions += 1
        state, _ = begin(1, decisions=decisions)
    assert action == Refuse("internal_changing")
    assert decisions == MOST_DECISIONS


EVENTS: Final[tuple[Event, ...]] = (
    Answered(200), Answered(503), Answered(307), Answered(401), Body(), Ended(), Faulted(Kind.RESET),
    Faulted(Kind.IDLE_TIMEOUT), ClientGone(), Deadline(), AnotherPolicy(), Barred(),
)  # fmt: skip


@pytest.mark.parametrize("candidates", [1, 2, 3])
def test_no_sequence_of_events_leaves_the_plan_or_tries_again_after_bytes_were_sent(candidates: int) -> None:
    """All sequences of four events, as far as they are possible."""
    for events in product(EVENTS, repeat=4):
        state, action = begin(candidates)
        tried = [0]
        relayed = False
        for event in events:
            if state.phase is not Phase.DONE and not isinstance(event, POSSIBLE[state.phase]):
                break
            state, action = step(state, event)
            if isinstance(action, Try):
                assert not relayed
                assert 0 <= action.at < candidates
                tried.append(action.at)
            assert not (relayed and isinstance(action, Refuse | DecideAgain))
            relayed = relayed or isinstance(action, Relay)
            if isinstance(action, Refuse | BreakOff):
                assert action.code in REFUSALS
        assert tried == sorted(set(tried))


def test_only_faults_of_a_target_fail_over() -> None:
    assert not {200, 400, 403, 404, 413, 422} & set(FAILS_OVER)
    for status in FAILS_OVER:
        state, _ = begin(2)
        assert step(state, Answered(status))[1] == Try(1)
