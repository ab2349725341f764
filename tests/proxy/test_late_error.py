"""A stream that began well and ends with an error: whose it is, what the breaker learns, and what the log says."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from policyd.proxy.breaker import BreakerState
from policyd.proxy.late_error import KEPT, LateError
from policyd.proxy.opening import Whose
from tests.proxy.bench import records, three
from tests.proxy.test_reliability import FOR_LONG, ONLY_CLOUD, SSE, STREAM, chunk, event, view
from tests.upstream.scripted import Peer, run, until

BEGUN: Final = event({"choices": [{"delta": {"content": 'the word "error": {'}}]})
OVERLOADED: Final = event({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, "error")
TOO_LONG: Final = event({"error": {"code": "context_length_exceeded", "message": "m"}})
DONE: Final = b"data: [DONE]\n\n"

STREAMS: Final = {
    "none": (BEGUN + DONE, None),
    "nothing at all": (b"", None),
    "overloaded": (BEGUN + OVERLOADED, Whose.TARGET),
    "with CRLF": ((BEGUN + OVERLOADED).replace(b"\n", b"\r\n"), Whose.TARGET),
    "before the end of the stream": (BEGUN + event({"error": {"message": "m", "code": 502}}) + DONE, Whose.TARGET),
    "in words": (BEGUN + event({"error": "the engine died"}), Whose.TARGET),
    "not ended by an empty line": ((BEGUN + OVERLOADED)[:-1], Whose.TARGET),
    "a response's": (event({"type": "response.created", "response": {"error": None}}) + event({"type": "error", "code": "server_error", "message": "m"}, "error"), Whose.TARGET),
    "a response that failed": (event({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "m"}}}), Whose.TARGET),
    "a response that is whole": (event({"type": "response.completed", "response": {"error": None}}), None),
    "about the request": (BEGUN + TOO_LONG + DONE, Whose.REQUEST),
    "about the request, by a number": (BEGUN + event({"error": {"code": 400, "type": "BadRequestError"}}), Whose.REQUEST),
    "a filter of its content": (BEGUN + event({"error": {"code": "content_filter", "message": "m"}}), Whose.REQUEST),
    "a prompt that is not allowed": (event({"type": "response.failed", "response": {"error": {"code": "invalid_prompt"}}}), Whose.REQUEST),
    "long ago, and the stream went on": (OVERLOADED + BEGUN * 9, None),
    "behind more than is kept": (BEGUN * (4 * KEPT // len(BEGUN)) + OVERLOADED, Whose.TARGET),
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize(("stream", "whose"), STREAMS.values(), ids=STREAMS.keys())
def test_whose_error_a_stream_says(stream: bytes, whose: Whose | None, size: int) -> None:
    late = LateError()
    for at in range(0, len(stream), size):
        late.feed(stream[at : at + size])
    assert late.whose() is whose


def test_what_is_kept_has_a_bound() -> None:
    late = LateError()
    for _ in range(100):
        late.feed(b"x" * KEPT)
    assert len(late._kept) <= 3 * KEPT


@pytest.mark.parametrize("leaves", [False, True])
@pytest.mark.parametrize("own", [True, False])
def test_a_target_that_errs_in_the_middle_of_its_streams_is_left_alone(
    tmp_path: Path, own: bool, leaves: bool
) -> None:
    """Elsewhere only statuses count: every stream ends with an error, and all of them go on to the same server. A client that
    leaves at the error changes nothing."""
    said = BEGUN + (OVERLOADED if own else TOO_LONG)

    async def erring(peer: Peer, _: bytes) -> None:
        await peer.send(SSE + chunk(BEGUN))
        await peer.send(chunk(said[len(BEGUN) :]))
        if leaves:
            await peer.gone()
        else:
            await peer.send(b"0\r\n\r\n")

    async def test() -> None:
        async with three(tmp_path, identity=ONLY_CLOUD, targets={"cloud": FOR_LONG}) as running:
            running.recorders["cloud"].answer = erring
            for _ in range(2):
                if leaves:
                    await left_at_the_error(running.port, said)
                else:
                    answer = await running.ask(STREAM)
                    assert (answer.status, answer.body, answer.clean) == (200, said, True)
            await until(lambda: view(running, "cloud").in_flight == 0)
            state = BreakerState.OPEN if own else BreakerState.CLOSED
            assert view(running, "cloud").breaker is state

    run(test())
    for record in records(tmp_path / "decisions.jsonl"):
        assert record["attempts"][0]["outcome"] == "error_event"
        clean = "upstream_error" if own else "answered"
        assert record["outcome"] == ("client_gone" if leaves else clean)


async def left_at_the_error(port: int, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(STREAM)
    came = b""
    while said[-20:] not in came:
        came += await reader.read(65536)
    writer.close()
    await writer.wait_closed()
