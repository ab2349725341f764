"""Threads of requests, drawn: where each one goes is what a plain model of conversations says, for every caller and id.

The model is a dictionary. A request is at the highest of what it carries and of what its ids stand for; an answer's id and the
ids of its request stand for that from then on, unless it was refused. An answer that this caller did not get is unknown.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conversations.given import CARD, SECRET, ask, chat, respond, responding
from tests.conversations.test_laundering import BOTH, two
from tests.proxy.bench import Running

TEXTS: Final = ("hello", SECRET, CARD)
"""By level."""


@dataclass(frozen=True, slots=True)
class Turn:
    """`after` is the number of an earlier turn whose answer is continued, None for none; one that there is not was forged."""

    level: int
    caller: str
    session: str | None
    after: int | None
    batch: bool
    stream: bool
    state: bool


TURNS: Final = st.lists(
    st.builds(
        Turn,
        level=st.sampled_from([0, 0, 0, 0, 1, 2]),
        caller=st.sampled_from(["ana", "ana", "ben"]),
        session=st.sampled_from([None, "s1", "s1", "s2"]),
        after=st.none() | st.integers(0, 12),
        batch=st.booleans(),
        stream=st.booleans(),
        state=st.booleans(),
    ),
    min_size=2,
    max_size=12,
)


class Model:
    def __init__(self) -> None:
        self.reached: dict[tuple[str, str], int] = {}

    def turn(self, number: int, turn: Turn) -> str:
        """Where it goes."""
        ids = [turn.session] if turn.session is not None else []
        level = max([turn.level, *(self.reached.get((turn.caller, i), 0) for i in ids)])
        if turn.state and turn.after is not None:
            ids.append(f"resp_{turn.after}")
            level = max(level, self.reached.get((turn.caller, ids[-1]), 2))
        if level == 2 and not turn.batch:
            return "policy_denied"
        for i in (*ids, *([f"resp_{number}"] if turn.state else [])):
            self.reached[turn.caller, i] = max(level, self.reached.get((turn.caller, i), 0))
        return "home" if turn.batch or level else "cloud"


def request_of(turn: Turn) -> bytes:
    more: dict[str, object] = {"key": turn.caller, "stream": turn.stream and turn.state}
    if turn.session is not None:
        more["x_session_id"] = turn.session
    if turn.batch:
        more["x_latency"] = "batch"
    if not turn.state:
        return chat(TEXTS[turn.level], **more)
    if turn.after is not None:
        more["previous_response_id"] = f"resp_{turn.after}"
    return respond(TEXTS[turn.level], **more)


async def gone(running: Running, turns: list[Turn]) -> list[str]:
    """Where each went. A server gives an answer the number of its turn."""
    out = []
    for number, turn in enumerate(turns):
        for recorder in running.recorders.values():
            recorder.answer = responding(f"resp_{number}")
        out.append(await ask(running, request_of(turn)))
    return out


@settings(max_examples=15)
@given(TURNS)
def test_a_thread_goes_where_the_model_says(turns: list[Turn]) -> None:
    model = Model()
    expected = [model.turn(number, turn) for number, turn in enumerate(turns)]

    async def test() -> None:
        with TemporaryDirectory() as folder:
            async with two(Path(folder), identity=BOTH) as running:
                assert await gone(running, turns) == expected

    asyncio.run(test())
