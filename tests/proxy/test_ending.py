"""Answers that end with their connection: whole, or cut."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.proxy.ending import ending_for
from tests.proxy.bench import CHAT, MESSAGES, post, records, three
from tests.upstream.scripted import Peer, run

EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
JSON = (b"content-type", b"application/json")
CHATTED = b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
SAID = b'event: ping\ndata: {}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
RESPONDED = b'data: {"type":"response.completed","response":{"output":[]}}\r\n\r\n'


@pytest.mark.parametrize("body", [CHATTED, SAID, RESPONDED], ids=["chat", "messages", "responses"])
@given(st.data())
def test_a_stream_is_whole_at_its_last_event_and_nowhere_before(body: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(body)))
    sizes = data.draw(st.integers(1, 7))
    ending = ending_for([EVENTS])
    for at in range(0, cut, sizes):
        ending.feed(body[at : min(at + sizes, cut)])
    # The very last byte ends the line that ends the event.
    assert ending.is_whole() is (cut == len(body))


@given(st.integers(0, 26), st.integers(1, 5))
def test_json_is_whole_when_it_is_complete(cut: int, size: int) -> None:
    body = b'{"a": [1, "}", {"b": "]"}]}'
    ending = ending_for([JSON])
    for at in range(0, cut, size):
        ending.feed(body[at : min(at + size, cut)])
    assert not ending.is_whole()
    ending.feed(body[cut:])
    assert ending.is_whole()


@pytest.mark.parametrize(
    "body", [b"", b"data: [DONE]\n", b"data: [DONE]\n\ndata: {", b'data: {"type":"x"}\n\n'], ids=str
)
def test_what_does_not_end_as_its_api_ends_is_cut(body: bytes) -> None:
    ending = ending_for([EVENTS])
    ending.feed(body)
    assert not ending.is_whole()


def test_compressed_answers_count_as_cut() -> None:
    ending = ending_for([JSON, (b"content-encoding", b"gzip")])
    ending.feed(b"{}")
    assert not ending.is_whole()


FRAMED: dict[str, tuple[bytes, bool]] = {
    "a chat": (CHATTED, True),
    "a chat whose server never says that it is done": (
        b'data: {"choices":[{"finish_reason": "stop"}]}\n\n',
        True,
    ),
    "a chat that only begins": (
        b'data: {"choices":[{"finish_reason":null,"delta":{"content":"a"}}]}\n\n',
        False,
    ),
    "a chat whose server says an empty reason until the end": (
        b'data: {"choices":[{"finish_reason": "","delta":{"content":"a"}}]}\n\n',
        False,
    ),
    "a message": (SAID, True),
    "a message that is cut between events": (SAID[:23], False),
    "a response": (RESPONDED, True),
    "a response that is larger than what is looked at": (RESPONDED[:-4] + b" " * 9000 + b"\n\n", True),
    "a text that speaks of ends": (
        b'data: {"text":"\\ndata: [DONE] \\"type\\":\\"message_stop\\""}\n\n',
        False,
    ),
    "a text that speaks of ends, in many events": (b'data: {"text":"event: message_stop"}\n\n' * 300, False),
    "an error": (b'data: {"choices":[]}\n\ndata: {"error":{"message":"no"}}\n\n', True),
    "nothing at all": (b"", True),
}


@pytest.mark.parametrize(("body", "whole"), FRAMED.values(), ids=FRAMED.keys())
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_stream_whose_framing_ends_well_says_that_it_came_to_its_end(
    body: bytes, whole: bool, size: int
) -> None:
    """A stream that is cut behind the server that sends it on ends as a clean 200 without its last event."""
    ending = ending_for([EVENTS], framed=True)
    assert ending is not None
    ending.feed(b"")
    for at in range(0, len(body), size):
        ending.feed(body[at : at + size])
    assert ending.is_whole() is whole


def test_of_other_framed_answers_the_framing_says_all() -> None:
    assert ending_for([JSON], framed=True) is None
    assert ending_for([EVENTS, (b"content-encoding", b"gzip")], framed=True) is None


@pytest.mark.parametrize("length", [False, True], ids=["chunked", "with its length"])
def test_a_stream_that_ends_in_order_before_its_end_does_not_end_cleanly(
    tmp_path: Path, length: bool
) -> None:
    body = SAID[:23]
    framing = b"content-length: %d\r\n\r\n%b" % (len(body), body)
    chunked = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    async def test() -> None:
        async def answering(peer: Peer, _: bytes) -> None:
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            await peer.send(head + (framing if length else chunked))

        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = answering
            answer = await running.ask(post("/v1/messages", MESSAGES | {"stream": True}))
            assert (answer.status, answer.clean) == (200, False)
            assert (b"upstream_broke" in answer.body) is not length

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == "upstream_broke"


def closing_after(kind: bytes, body: bytes) -> object:
    async def answer(peer: Peer, _: bytes) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\n\r\n" + body)
        peer.close()

    return answer


CASES = {
    "a stream": (post("/v1/chat/completions", CHAT | {"stream": True}), EVENTS[1], CHATTED, True),
    "a stream that is cut in an event": (
        post("/v1/chat/completions", CHAT | {"stream": True}), EVENTS[1], CHATTED[:30], False,
    ),
    "a stream that is cut between events": (
        post("/v1/messages", MESSAGES | {"stream": True}), EVENTS[1], SAID[:23], False,
    ),
    "JSON": (post("/v1/chat/completions", CHAT), b"application/json", b'{"a":[1]}', True),
    "JSON that is cut": (post("/v1/chat/completions", CHAT), b"application/json", b'{"a":[1]', False),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "kind", "body", "whole"), CASES.values(), ids=CASES.keys())
def test_a_cut_answer_never_ends_cleanly(
    tmp_path: Path, request_: bytes, kind: bytes, body: bytes, whole: bool
) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = closing_after(kind, body)  # type: ignore[assignment]
            answer = await running.ask(request_)
            # Of a stream, its whole events.
            assert answer.body.startswith(body[: body.rfind(b"\n\n") + 2] if kind == EVENTS[1] else body)
            assert answer.clean is whole
            assert (b"upstream_broke" in answer.body) is (not whole and kind != b"application/json")

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == ("answered" if whole else "upstream_broke")


@pytest.mark.parametrize("status", [b"600", b"999", b"199", b"99"])
def test_a_status_that_http_does_not_have_is_no_answer(tmp_path: Path, status: bytes) -> None:
    async def test() -> None:
        async def answering(peer: Peer, _: bytes) -> None:
            await peer.send(b"HTTP/1.1 " + status + b" X\r\ncontent-length: 2\r\n\r\n{}")
            peer.close()

        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = answering
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")

    run(test())


def test_an_answer_without_a_body_ends_at_its_head(tmp_path: Path) -> None:
    async def test() -> None:
        async def answering(peer: Peer, _: bytes) -> None:
            await peer.send(b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n")

        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = answering
            async with asyncio.timeout(5):
                answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert (answer.status, answer.body) == (204, b"")
            assert b"content-length" not in answer.headers

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert (record["status"], record["outcome"]) == (204, "answered")
