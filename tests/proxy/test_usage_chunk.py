"""Usage is asked for in streams, and its event is taken out again where the caller did not ask."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.proxy.usage_chunk import LARGEST, Unasked, stream_options_to_ask
from tests.proxy.bench import CHAT, MESSAGES, post, records, saying, three
from tests.proxy.test_usage import CHAT_STREAM, MESSAGES_STREAM, events
from tests.upstream.scripted import Peer, run

SSE = [(b"content-type", b"text/event-stream"), (b"content-length", b"9")]
USAGE = events({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
ON_A_CHOICE = events({"choices": [{"delta": {}}], "usage": {"prompt_tokens": 3}})
FILTERS = events({"choices": [], "prompt_filter_results": [{}]})
DONE = b"data: [DONE]\n\n"
WORD = events({"choices": [{"delta": {"content": "word"}}], "usage": None})
LONG = events({"choices": [{"delta": {"content": "x" * LARGEST * 2}}], "usage": {"a": 1}})


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({}, None),
        ({"stream": False}, None),
        ({"stream": 1}, None),
        ({"stream": True}, {"include_usage": True}),
        ({"stream": True, "stream_options": None}, {"include_usage": True}),
        ({"stream": True, "stream_options": {"a": 1}}, {"a": 1, "include_usage": True}),
        ({"stream": True, "stream_options": {"include_usage": False}}, {"include_usage": True}),
        ({"stream": True, "stream_options": {"include_usage": True}}, None),
        ({"stream": True, "stream_options": {"include_usage": "yes"}}, None),
        ({"stream": True, "stream_options": "yes"}, None),
    ],
)
def test_what_is_asked_for(body: dict[str, object], options: object) -> None:
    value = stream_options_to_ask(body)
    assert (None if value is None else json.loads(value)) == options


def filtered(pieces: list[bytes], headers: list[tuple[bytes, bytes]] = SSE, status: int = 200) -> bytes:
    reply = Unasked()
    reply.head(status, list(headers))
    return b"".join([*map(reply.feed, pieces), reply.end()])


@given(
    st.lists(st.sampled_from([USAGE, ON_A_CHOICE, FILTERS, DONE, WORD, LONG, b": ping\n\n", b"\n"]), max_size=8),
    st.booleans(),
    st.lists(st.integers(0, 3000), max_size=12),
    st.sampled_from([b"", b'data: {"cut', USAGE[:20], b"\n"]),
)  # fmt: skip
def test_only_the_event_of_usage_alone_is_missing_however_the_stream_is_cut(
    said: list[bytes], crlf: bool, cuts: list[int], rest: bytes
) -> None:
    def spelled(data: bytes) -> bytes:
        return data.replace(b"\n", b"\r\n") if crlf else data

    whole = spelled(b"".join(said) + rest)
    places = [0, *sorted(c for c in cuts if c < len(whole)), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(places)]
    left = spelled(b"".join(s for s in said if s != USAGE) + rest)
    assert filtered(pieces) == left


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"content-type", b"application/json"), (b"content-length", b"9")], 200),
        ([*SSE, (b"content-encoding", b"gzip")], 200),
        (SSE, 500),
    ],
    ids=["no stream", "compressed", "an error"],
)
def test_what_is_no_stream_passes_as_it_came(headers: list[tuple[bytes, bytes]], status: int) -> None:
    reply = Unasked()
    assert reply.head(status, headers).headers == headers
    assert filtered([WORD[:9], WORD[9:] + USAGE], headers, status) == WORD + USAGE


def test_a_filtered_stream_has_no_length_that_was_promised() -> None:
    assert Unasked().head(200, list(SSE)).headers == SSE[:1]


def chunked(data: bytes, size: int = 70) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


STREAMED = {**CHAT, "stream": True}
LEFT = CHAT_STREAM.replace(CHAT_STREAM[CHAT_STREAM.index(b'data: {"model": "gpt-5", "choices": []') :], DONE)


async def _asked(
    folder: Path, body: dict[str, object], answer: bytes, **targets: str
) -> tuple[bytes, bytes, dict[str, Any]]:
    """What reached the target, what reached the caller, and the line of the log."""
    async with three(folder, targets=targets) as running:
        cloud = running.recorders["cloud"]
        cloud.answer = saying(answer)
        path = "/v1/messages" if "max_tokens" in body else "/v1/chat/completions"
        got = await running.ask(post(path, body, {"accept-encoding": "gzip"}))
        assert (got.status, got.clean) == (200, True)
    [line] = records(running.log_path)
    return cloud.requests[0], got.body, line


def test_usage_of_a_stream_is_known_though_the_caller_did_not_ask(tmp_path: Path) -> None:
    """Users of other gateways find no usage on streams."""

    async def test() -> None:
        sent, got, line = await _asked(tmp_path, STREAMED, chunked(CHAT_STREAM))
        assert json.loads(sent.partition(b"\r\n\r\n")[2]) == {
            **STREAMED,
            "stream_options": {"include_usage": True},
        }
        assert b"\r\naccept-encoding: identity\r\n" in sent
        assert b"gzip" not in sent
        assert got == LEFT
        assert line["usage"] == {"input": 20, "output": 9, "cache_read": 16, "reasoning": 4}

    run(test())


def test_a_caller_that_asks_gets_every_byte(tmp_path: Path) -> None:
    async def test() -> None:
        asked = {**STREAMED, "stream_options": {"include_usage": True}}
        sent, got, line = await _asked(tmp_path, asked, chunked(CHAT_STREAM))
        assert sent.endswith(json.dumps(asked).encode())
        assert b"\r\naccept-encoding: gzip\r\n" in sent
        assert got == CHAT_STREAM
        assert line["usage"] == {"input": 20, "output": 9, "cache_read": 16, "reasoning": 4}

    run(test())


def test_a_target_that_does_not_know_the_option_is_not_asked(tmp_path: Path) -> None:
    async def test() -> None:
        stream = LEFT
        sent, got, line = await _asked(tmp_path, STREAMED, chunked(stream), cloud="include_usage = false")
        assert sent.endswith(json.dumps(STREAMED).encode())
        assert got == stream
        assert "usage" not in line

    run(test())


def test_a_stream_that_ends_with_its_connection_is_not_whole_without_its_last_event(tmp_path: Path) -> None:
    async def answer(peer: Peer, _: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
        await peer.send(head + CHAT_STREAM.removesuffix(DONE))
        peer.close()

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = answer
            got = await running.ask(post("/v1/chat/completions", STREAMED))
            assert not got.clean
            assert got.body.startswith(LEFT.removesuffix(DONE))
            assert b"upstream_broke" in got.body
        [line] = records(running.log_path)
        assert line["outcome"] == "upstream_broke"

    run(test())


def test_messages_are_asked_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        body = {**MESSAGES, "stream": True}
        sent, got, line = await _asked(tmp_path, body, chunked(MESSAGES_STREAM))
        assert sent.endswith(json.dumps(body).encode())
        assert got == MESSAGES_STREAM
        assert line["usage"] == {"input": 115, "output": 8, "cache_read": 100, "cache_creation": 10}

    run(test())
